"""What an observation is, in few numbers, and how that is learnt from data kept on disk."""
