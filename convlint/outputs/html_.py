"""A report as one page for a browser, which needs nothing from elsewhere: docs/report-page.md."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from string import Template
from typing import Any

from convlint.ir import Report
from convlint.outputs.page.document import document

SCRIPTS = (
    *("dom", "prepare", "layout", "graph", "costs", "memory", "table", "told", "details", "main"),
)
"""Files of the page's script, in the order in which they are read."""


def render(report: Report) -> str:
    """The report as an HTML document, in ASCII.

    All that comes from the user's files is data, and becomes text nodes in the browser. The page's policy lets it run
    its own script and load nothing.
    """
    script = (
        f'"use strict";\n(() => {{\n{"".join(map(_asset, (f"{s}.js" for s in SCRIPTS)))}}})();\n'
    )
    style = _asset("page.css")
    return Template(_asset("page.html")).substitute(
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=data(document(report)),
    )


def _asset(name: str) -> str:
    return files("convlint.outputs.page").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a content security policy calls a script or style by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def data(value: Any) -> str:
    r"""JSON that can stand in a script element: what could end it, or begin a comment or a tag, is ``\uXXXX``."""
    text = json.dumps(value, separators=(",", ":"))
    for char in "<>&":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
