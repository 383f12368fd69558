"""What the terminal shows of a run or of an evaluation.

It knows figures/ and the options, and no torch: it is told, and asks nobody.
"""
