"""A dataset of rollouts looked at: checked and mended on the terminal, shown as a page."""
