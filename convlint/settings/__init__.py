"""Configuration files, targets, input shapes, jobs, and the discovery of files."""
