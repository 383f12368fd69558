"""From a configuration to the objects it means: learner, bonuses, heads, rollouts, displays.

It knows all rooms below and the parts of a run; nothing below knows a configuration this well.
"""
