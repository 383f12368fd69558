"""The sections of a configuration, a file each: type, default, bounds and help of every key."""
