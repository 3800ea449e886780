"""Functions of libraries, one file each. ``FUNCTIONS`` and ``CONSTANTS`` have the qualified names."""
