"""Fit and judge rewritten models on data of the user."""
