"""An agent alone in this process, learning from made-up play: `make bench PART=learner`.

Knows agents/ and how training/ builds one, and the files that all benchmarks share.
"""
