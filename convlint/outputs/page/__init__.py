"""The HTML report: its data, template, style and scripts."""
