"""Documentation generated from code: the rule pages and the configuration reference."""
