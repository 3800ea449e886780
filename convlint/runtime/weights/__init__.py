"""Trained weights converted for rewritten layers."""
