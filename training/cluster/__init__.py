"""Job files for a cluster's scheduler: make slurm.

It knows folders/ and the configuration, and nothing heavy: it runs on a cluster's front node.
"""
