"""A dataset of rollouts taken elsewhere: written in the formats of other libraries."""
