"""Models of Python's own functions, containers, methods and standard library."""
