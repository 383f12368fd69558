"""Experiment files in RLlib's YAML form, read as recipes; knows configs alone, and no torch."""
