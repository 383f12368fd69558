"""What the terminal shows of a run or of an evaluation.

It knows folders/, ranks/ and figures/; it is told, and asks nobody.
"""
