"""One file per rule; ``catalogue.py`` finds them."""
