"""Scout and other trainers, trained in turns and watched from outside: `make bench PART=peers`.

Knows trainers as programs that print how far they are, and the files that all benchmarks share.
"""
