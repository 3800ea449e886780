"""The report page: its data, and the template, style and scripts that show it."""
