"""What lets profilers see workers."""
