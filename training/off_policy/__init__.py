"""Training from a replay buffer: act, remember, learn, then the clocks."""
