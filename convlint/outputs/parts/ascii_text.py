"""Text that every parser accepts: ASCII without lone surrogates."""

from __future__ import annotations

import json
import re
from typing import Any

from convlint.outputs.parts.log_commands import json_without_commands

# A lone surrogate as JSON escapes it: file names contain them for bytes that are not UTF-8.
_LONE_SURROGATE = re.compile(r"\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}")


def as_json(document: Any) -> str:
    """A document as indented JSON with a final line end; lone surrogates, which strict parsers reject, are escaped."""
    text = json.dumps(document, indent=2)
    if _LONE_SURROGATE.search(text):
        text = json.dumps(_escaped(document), indent=2)
    return json_without_commands(text) + "\n"


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return escape_surrogates(value)
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if isinstance(value, dict):
        return {escape_surrogates(key): _escaped(item) for key, item in value.items()}
    return value


def escape_surrogates(text: str) -> str:
    r"""``text`` with lone surrogates written as ``\udcff``."""
    return text.encode("utf-8", "backslashreplace").decode()
