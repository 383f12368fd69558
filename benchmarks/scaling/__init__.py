"""What more ranks, environments, features and steps cost: `make bench PART=scaling`.

Knows the sums of all_reduce/, learner/'s agent for their size, and what all benchmarks share.
"""
