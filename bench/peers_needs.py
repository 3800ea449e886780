"""Print the metadata of packages as JSON: ``python -m bench.peers_needs PACKAGE...``."""

from __future__ import annotations

import json
import sys
from importlib.metadata import metadata, requires, version

if __name__ == "__main__":
    print(
        json.dumps(
            {
                package: {
                    "version": version(package),
                    "python": metadata(package).json.get("requires_python"),
                    "requires": requires(package) or [],
                }
                for package in sys.argv[1:]
            }
        )
    )
