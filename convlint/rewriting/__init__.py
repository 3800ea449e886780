"""Rewrites of dense layers to cheaper ones, as edits of the source that are verified by running them."""
