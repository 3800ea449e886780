"""Inputs of a model: requested, guessed, and the input sizes that work."""
