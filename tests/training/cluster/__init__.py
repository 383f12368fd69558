"""Tests of training/cluster and of make slurm."""
