"""The steps of `make sprites_study`: encoders from play, PPO on them, the page about both.

Knows runs as processes that leave files, and the files that all benchmarks share.
"""
