"""Small tools that know nothing of models: errors, quantities, atomic writes, serialization."""
