"""Small policies without a gradient: a whole population acts at once, and evolves."""
