"""The layers of models for other programs and for papers: CSV, LaTeX, Markdown, and plain numbers."""
