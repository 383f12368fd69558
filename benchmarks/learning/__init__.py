"""A recipe over seeds: does it learn what it should, and how soon?

Knows main.py as a program, the rows that runs leave, and the files that all benchmarks share.
"""
