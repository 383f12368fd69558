"""The training loop and its parts: collect, learn, then the clocks.

It knows ranks/, checkpoints/, figures/, live/; it gets what it runs, and builds nothing.
"""
