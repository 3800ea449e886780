"""Rewrites of dense layers to cheaper ones: edits of the source, verified by running the model."""
