"""Measure the memory and the time of a run."""
