"""Shared parts of the formats: the layer table, excerpts of source, text for terminals."""
