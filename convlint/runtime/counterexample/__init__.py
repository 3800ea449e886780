"""Witnesses: a class is built with other arguments and really run."""
