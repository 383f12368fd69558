"""TD3: a deterministic policy from what is remembered."""
