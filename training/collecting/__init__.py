"""main.py --collect: environments, a policy, and a dataset that they fill.

Episodes are numbered. The run's seed and the number give all that is drawn in an episode, so that
neither the number of environments nor that of processes, ranks and machines changes it.
"""
