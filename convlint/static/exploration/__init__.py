"""What is executed abstractly, and along which paths: entry points, argument variants, bounds."""
