"""The abstract interpreter of Python: syntax, calls, classes and objects."""
