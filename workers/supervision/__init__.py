"""Worker processes: what one does, and how they are started, watched and replaced."""
