"""One forward, recorded as an FX graph and converted to convlint's own graph."""
