"""One file per output format, each with one ``render(report, ...) -> str``."""
