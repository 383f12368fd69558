"""The live display."""
