"""Small helpers that know nothing of models: errors, quantities, atomic writes."""
