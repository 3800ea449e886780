"""One forward, recorded and converted to convlint's own graph, or to an FX graph."""
