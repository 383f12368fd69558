"""Other trainers, each driven by a script of ours that says how far it has come.

A script knows its trainer, `sizes.py`, and the files that all benchmarks share.
"""
