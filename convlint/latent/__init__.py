"""Latent defects: classes that fail for arguments that they accept, found by trying, and judged by a repair."""
