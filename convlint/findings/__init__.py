"""Processing of findings after a rule reported them: selection, suppression, baseline, confirmation."""
