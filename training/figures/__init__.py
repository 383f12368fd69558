"""The figures of a run, where they go, how they are counted and drawn.

It knows folders/; it never sees the loop that makes them.
"""
