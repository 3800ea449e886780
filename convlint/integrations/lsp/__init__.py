"""The language server: ``convlint server`` speaks the Language Server Protocol with an editor, on stdin and stdout.

What is typed is judged as ``convlint check`` would, and no code of the user's is run; configured models run when the
editor asks for it, in processes of their own.
"""

from __future__ import annotations

from convlint.support.errors import UsageError


def serve(baseline: str | None = None) -> int:
    """Serve one editor until it says goodbye, and give the exit code: 0 after a shutdown, 1 where there was none.

    ``baseline`` is the path of a baseline in each project. Raises UsageError where pygls is not installed.
    """
    try:
        import pygls.lsp.server  # noqa: F401 - an extra
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol", "cattrs", "attrs"):
            raise
        raise UsageError("the server needs pygls: pip install 'convlint[lsp]'") from None
    from convlint.integrations.lsp.features import server

    session = server(baseline)
    session.start_io()
    return session.exit_code
