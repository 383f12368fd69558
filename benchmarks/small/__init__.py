"""Whole runs on small environments beside stable-baselines3 and an earlier checkout: PART=small.

Knows main.py as a program, and the files that all benchmarks share.
"""
