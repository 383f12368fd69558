"""The loops, and what the machine gives them."""
