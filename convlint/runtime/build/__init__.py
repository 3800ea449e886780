"""From a target to a model: loading, construction sites, and integers that carry their expression."""
