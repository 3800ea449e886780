"""Convert trained weights for rewritten layers."""
