"""All that knows a simulator's name."""
