"""From the steps of a pool to episodes on disk: kept, described, written beside the stepping."""
