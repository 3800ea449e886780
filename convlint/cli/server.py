"""``convlint server``: the language server for editors."""

from __future__ import annotations

from convlint.integrations.lsp import serve
from convlint.pipelines.requests import ServerRequest


def run(request: ServerRequest, _: object = None) -> int:
    """Serve an editor until it ends the session, and return the exit code. Raises UsageError without pygls."""
    return serve(request.baseline)
