"""Throughput and learning curves, measured side by side; see docs/benchmarks.md.

A folder is a benchmark, run by its name; files here are benchmarks of one file, or what all share.
"""
