"""Sums over ranks with gloo, on the loopback or over slow cables that are made up here.

Knows neither agent nor run, only the files that all benchmarks share.
"""
