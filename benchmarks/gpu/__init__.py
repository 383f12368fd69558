"""All that is to be measured on a machine with a GPU, in one go: `make bench_gpu`.

Knows benchmarks/pool, for what the emulators reach alone, and the files that all benchmarks share.
"""
