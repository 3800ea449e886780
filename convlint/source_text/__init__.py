"""Source files as text: sites, edits, lines, and calls with the spans of their arguments."""
