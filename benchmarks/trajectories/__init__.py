"""Rollouts on disk beside other stores: PART=trajectories.

Knows trajectories/, other libraries where they are installed, and the files that all benchmarks
share.
"""
