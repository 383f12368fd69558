"""Scout's parts used alone; each file is a program: python -m examples.losses_alone."""
