"""Text that every parser takes: ASCII, without half characters."""

from __future__ import annotations

import json
import re
from typing import Any

_HALF = re.compile(
    r"\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}"
)
"""One half of a surrogate pair, as JSON escapes it: names of files have them for bytes that are no UTF-8."""


def as_json(document: Any) -> str:
    """A document as JSON, indented, with a line end. Halves of characters, which strict parsers refuse, are written
    out.
    """
    text = json.dumps(document, indent=2)
    if _HALF.search(text):
        text = json.dumps(_whole(document), indent=2)
    return text + "\n"


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {whole(key): _whole(item) for key, item in value.items()}
    return value


def whole(text: str) -> str:
    r"""``text`` with halves of characters written out, as in ``\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode()
