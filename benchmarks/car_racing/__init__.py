"""Scout's drawing of CarRacing beside Gymnasium's: `make bench PART=car_racing`.

Knows workers/ and no agent, and the files that all benchmarks share.
"""
