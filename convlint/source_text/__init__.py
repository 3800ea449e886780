"""Source files as text: lines, edits, calls with their spans, and the loop that applies fixes."""
