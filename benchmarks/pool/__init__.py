"""The worker pool beside other ways to step environments: `make bench PART=pool`.

Knows workers/ and no agent, and the files that all benchmarks share.
"""
