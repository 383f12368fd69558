"""The training loop and its parts: collect, learn, then the clocks.

It knows folders/, ranks/, checkpoints/, figures/, live/ and the session; it is given what it runs.
"""
