"""The learner side: all that is differentiated. torch, never gymnasium."""
