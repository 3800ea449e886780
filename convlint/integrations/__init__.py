"""convlint inside other programs: flake8, pytest, and editors through the Language Server Protocol."""
