"""Training an encoder, beside a plain implementation: `python -m benchmarks.encoders`.

Knows agents/, and the files that all benchmarks share.
"""
