"""The representation components, one file each."""
