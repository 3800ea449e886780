"""The program: its files, the syntax tree of each, and the statements that bind each name."""
