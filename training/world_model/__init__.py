"""`make world_model`: from rollouts to a controller that drives, one stage after the other.

Each stage is a command of main.py in a process of its own. Knows how stages are told whole, and
what stands on the page at the end; nothing of what they do.
"""
