"""A process among others and on its machine: groups, meeting, agreeing, restarts, threads, memory.

It knows folders/.
"""
