"""The language server: ``convlint server`` speaks the Language Server Protocol with an editor, on stdin and stdout.

Open documents are checked statically as they are typed; no user code is run. Configured models run when the user
requests it, in separate processes.
"""

from __future__ import annotations

import sys
from typing import BinaryIO, cast

from convlint.support.errors import UsageError


def serve(baseline: str | None = None) -> int:
    """Serve one editor until it exits, and return the exit code: 0 after a shutdown request, else 1.

    ``baseline`` is the path of a baseline file, relative to each project. Raises UsageError if pygls is not installed,
    or if standard input is not the protocol.
    """
    try:
        import pygls.lsp.server  # noqa: F401 - an extra
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol", "cattrs", "attrs"):
            raise
        raise UsageError("the server needs pygls: pip install pygls") from None
    from convlint.integrations.lsp.bounded_input import BoundedInput
    from convlint.integrations.lsp.features import create_server

    server = create_server(baseline)
    server.start_io(cast(BinaryIO, BoundedInput(sys.stdin.buffer)))  # of a file, pygls uses these two methods
    return server.exit_code
