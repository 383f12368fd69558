"""Tests of training/collecting."""
