"""Throughput and learning curves, measured side by side; see docs/benchmarks.md."""
