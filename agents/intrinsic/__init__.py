"""The intrinsic-reward components, one file each."""
