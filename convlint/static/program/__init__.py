"""The program as text: parsed files, their top-level names, and the imports between them."""
