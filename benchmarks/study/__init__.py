"""The steps of `make study`: the plan, its runs, their results, the page about them.

Knows runs as processes that leave files, and the files that all benchmarks share.
"""
