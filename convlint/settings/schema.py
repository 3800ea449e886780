"""The keys of the settings: what each takes, what it is for, and its default.

``config`` reads a file by them and says by them what is wrong; ``reference`` writes docs/configuration.md and
docs/config-schema.json from them. Loaded only where there is a file with settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from convlint.ir import SEVERITIES


@dataclass(frozen=True, slots=True)
class Form:
    """What a value looks like: in words, as JSON schema (draft 7), and as a test of a parsed value."""

    words: str
    schema: Mapping[str, Any]
    fits: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Key:
    """One key. ``default`` and ``example`` are TOML, ``default`` is "" where a key has none; ``doc`` is Markdown."""

    name: str
    form: Form
    doc: str
    example: str
    default: str = ""
    choices: tuple[str, ...] = ()
    needed: bool = False
    schema: Mapping[str, Any] = field(default_factory=dict)  # besides that of the form


def _is_list_of(kind: type, value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)


def _is_strings(value: Any) -> bool:
    return isinstance(value, str) or _is_list_of(str, value)


def _is_whole(value: Any) -> bool:
    return type(value) is int and value >= 1


_STRINGS: Mapping[str, Any] = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
}

WORD = Form("a string", {"type": "string"}, lambda value: isinstance(value, str))
STRINGS = Form("a string or a list of strings", _STRINGS, _is_strings)
CODES = Form(
    "a string or a list of strings, codes of rules or their beginnings", _STRINGS, _is_strings
)
IGNORES = Form(
    "a table of patterns and codes",
    {"type": "object", "additionalProperties": _STRINGS},
    lambda value: isinstance(value, dict) and all(_is_strings(codes) for codes in value.values()),
)
TARGET = Form(
    "a string such as 'net.py:Net'", {"type": "string"}, lambda value: isinstance(value, str)
)
ARGUMENTS = Form(
    "a string, a list or a table",
    {"type": ["string", "array", "object"]},
    lambda value: isinstance(value, str | list | dict),
)
WHOLE = Form("a whole number of at least 1", {"type": "integer", "minimum": 1}, _is_whole)
FLAG = Form("true or false", {"type": "boolean"}, lambda value: isinstance(value, bool))
COUNT = Form(
    "a number such as 5_000_000 or '5M'",
    {"type": ["number", "string"], "minimum": 0, "pattern": "^[ 0-9_.]+[A-Za-z]* *$"},
    lambda value: isinstance(value, int | float | str) and not isinstance(value, bool),
)
BYTES = Form("a number of bytes such as 536_870_912 or '512MiB'", COUNT.schema, COUNT.fits)

_CODES_DOC = "codes, or beginnings of codes (`CVL3`), or `ALL`"

MODEL_KEYS = (
    Key(
        "target",
        TARGET,
        "The model: `path.py:Name`, `package.module:Name`, or with constructor arguments `path.py:Name(64, "
        "groups=8)`. `Name` is a class, a function that returns a model, or an instance. Paths are relative "
        "to the file with the settings.",
        "'net.py:Net'",
        needed=True,
    ),
    Key(
        "input",
        STRINGS,
        "One sample without its batch dimension, as for `--input`: `3,224,224`, `mask=1,32,32` for a keyword, "
        "`128:int64` for a dtype. A list for several inputs. Without it the model's `example_input_array`, or "
        "a size that runs.",
        "'3,224,224'",
    ),
    Key(
        "args",
        ARGUMENTS,
        "Constructor arguments, where they do not stand in the target: a list, a table of keywords, or the "
        "text between the parentheses. Python literals only.",
        "{ width = 64, groups = 8 }",
    ),
    Key("batch-size", WHOLE, "Samples in a batch.", "2", default="1"),
    Key("train", FLAG, "Whether the model runs in training mode.", "true", default="false"),
    Key(
        "max-params",
        COUNT,
        "Budget of parameters: more are a finding (CVL113). Units: `K`, `M`, `G`.",
        "'5M'",
    ),
    Key("max-macs", COUNT, "Budget of multiply-accumulates of one forward.", "'600M'"),
    Key(
        "max-activation-bytes",
        BYTES,
        "Budget of the memory that activations take at the peak of a forward. Units: `MB` (10**6), `MiB` "
        "(2**20).",
        "'64MiB'",
    ),
)
"""The keys of ``[[tool.convlint.models]]``."""

MODELS = Form(
    "written as [[tool.convlint.models]]",
    {"type": "array", "items": {"$ref": "#/definitions/model"}},
    lambda value: isinstance(value, list),
)

KEYS = (
    Key(
        "select",
        CODES,
        f"The rules that run: {_CODES_DOC}. Of the beginnings in `select` and `ignore` that fit a code, the "
        "longest decides.",
        '["CVL1", "CVL2"]',
        default='["CVL1", "CVL2", "CVL3", "CVL900", "CVL901"]',
    ),
    Key("extend-select", CODES, "Rules that run as well.", '["CVL902"]', default="[]"),
    Key("ignore", CODES, f"Rules that do not run: {_CODES_DOC}.", '["CVL308"]', default="[]"),
    Key(
        "per-file-ignores",
        IGNORES,
        "Rules that are not told of some files: patterns and codes. A pattern without a slash fits a name at "
        "any depth, one with a slash a path relative to the file with the settings.",
        '{ "tests/*" = ["CVL3"], "legacy.py" = "ALL" }',
        default="{}",
    ),
    Key(
        "exclude",
        STRINGS,
        "Files and folders that are not read, besides what git ignores and the usual caches; patterns as "
        "above. What is named on the command line itself is read all the same, unless `--force-exclude` is "
        "given.",
        '["experiments/", "*_old.py"]',
        default="[]",
    ),
    Key(
        "fail-on",
        WORD,
        "The least severity that gives exit code 1.",
        '"error"',
        default='"warning"',
        choices=SEVERITIES,
        schema={"enum": list(SEVERITIES)},
    ),
    Key(
        "models",
        MODELS,
        "The models that `convlint check` runs where it is given no target; where files are read, their "
        "inputs are followed.",
        "[{ target = 'net.py:Net', input = '3,224,224' }]",
        default="[]",
    ),
)
"""The keys of ``[tool.convlint]``."""
