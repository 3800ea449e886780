"""Read configuration files of a project as data: YAML, JSON and TOML. Nothing in them is executed."""

from __future__ import annotations

import os
from typing import Any

from convlint.support.regular_file import read_regular_file

SUFFIXES = (".yaml", ".yml", ".json", ".toml")
_MOST_BYTES = 1 << 20


class DataError(Exception):
    """A file that cannot be read as data; the message says why."""


def read_data(path: str) -> Any:
    """Return the content of a file, by its suffix. Raises DataError."""
    try:
        text = read_regular_file(path, _MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8") from None
    try:
        return parse_data(text, os.path.splitext(path)[1])
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {error or 'nested too deeply'}") from None


def parse_data(text: str, suffix: str) -> Any:
    """Return the value of a text of one of the ``SUFFIXES``. Raises ValueError or RecursionError."""
    if suffix == ".json":
        import json

        return json.loads(text)
    if suffix == ".toml":
        import tomllib

        return tomllib.loads(text)
    if suffix in (".yaml", ".yml"):
        from convlint.support.yaml_text import read

        return read(text)
    raise ValueError(f"the name must end in {', '.join(SUFFIXES)}")


def part_of(value: Any, keys: str) -> Any:
    """Return the part of nested mappings that ``model.backbone`` names. Raises DataError."""
    for key in keys.split(".") if keys else []:
        if type(value) is list and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        elif type(value) is dict and key in value:
            value = value[key]
        else:
            known = f"; it has {', '.join(map(str, value))}" if type(value) is dict and value else ""
            raise DataError(f"there is no {key!r}{known}")
    return value
