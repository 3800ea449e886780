"""What is suggested, one format a file."""
