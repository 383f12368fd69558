"""Agent = CMA-ES: a population of small controllers plays, and the better half is learnt from.

Nothing that is drawn hangs on who plays it: the run's seed and a generation's number give the
tracks of that generation, the same for all members (common random numbers).
"""
