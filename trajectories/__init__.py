"""Rollouts kept on disk. numpy and pyarrow, never torch, never a simulator."""
