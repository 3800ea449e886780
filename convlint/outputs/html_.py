"""A report as a self-contained HTML page: docs/report-page.md."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from string import Template
from typing import Any

from convlint.ir import Report
from convlint.outputs.page.document import document
from convlint.outputs.parts.log_commands import json_without_commands

# Files of the page's script, in the order in which they run.
_JS = (
    "dom",
    "prepare",
    "layout",
    "graph_controls",
    "export",
    "graph",
    "costs",
    "memory",
    "table",
    "cards",
    "details",
    "main",
)


def render(report: Report) -> str:
    """The report as an HTML document, in ASCII.

    Content of the user's files is data, which the browser only inserts as text nodes. The content security policy
    allows the page's own script and style, and no requests.
    """
    code = "".join(_asset(f"{name}.js") for name in _JS)
    script = f'"use strict";\n(() => {{\n{code}}})();\n'
    style = _asset("page.css")
    return Template(_asset("page.html")).substitute(
        style=style, style_hash=_hash(style), script=script, script_hash=_hash(script), data=data(document(report))
    )


def _asset(name: str) -> str:
    return files("convlint.outputs.page").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The hash by which a content security policy allows a script or style."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def data(value: Any) -> str:
    r"""JSON for a script element: ``<``, ``>`` and ``&`` are escaped as ``\uXXXX``, so that no tag begins or ends."""
    text = json.dumps(value, separators=(",", ":"))
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return json_without_commands(text)
