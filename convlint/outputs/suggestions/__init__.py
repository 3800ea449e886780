"""Output formats of suggestions, one file each."""
