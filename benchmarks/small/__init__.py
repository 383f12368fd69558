"""Whole runs on small environments beside other trainers and an earlier checkout: PART=small.

Knows main.py as a program, and the files that all benchmarks share.
"""
