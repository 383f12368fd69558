"""The steps of `make td3_study`: models from play, the runs of four critics, the page about them.

Knows runs as processes that leave files, and the files that all benchmarks share.
"""
