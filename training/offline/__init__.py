"""Whatever is trained on a dataset: one loop for all of it, and encoding with what it gave.

Knows the rooms below it; `agents` for what is trained, `trajectories` for what it is trained on.
"""
