"""What the formats share: the layer table, excerpts of source, text for a terminal."""
