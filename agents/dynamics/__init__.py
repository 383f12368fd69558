"""What comes next, in the features of an encoder: models of sequences, learnt from data on disk."""
