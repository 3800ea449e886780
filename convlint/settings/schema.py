"""The table of configuration keys: their values, defaults and documentation.

``config`` validates files by it, ``docsgen.config_reference`` generates docs/configuration.md and
docs/config-schema.json from it. It is loaded only if there is a configuration file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from convlint.ir import SEVERITIES
from convlint.support.dataclass import dataclass, field


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a value: in words, as JSON schema (draft 7), and as a test of a parsed value."""

    words: str
    schema: Mapping[str, Any]
    fits: Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Key:
    """A key. ``default`` and ``example`` are TOML, ``default`` is "" if there is none; ``doc`` is Markdown."""

    name: str
    form: Form
    doc: str
    example: str
    default: str = ""
    choices: tuple[str, ...] = ()
    needed: bool = False
    schema: Mapping[str, Any] = field(default_factory=dict)  # besides that of the form


def _is_strings(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


def _is_whole(value: Any) -> bool:
    return type(value) is int and value >= 1


_STRINGS: Mapping[str, Any] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}

WORD = Form("a string", {"type": "string"}, lambda value: isinstance(value, str))
STRINGS = Form("a string or a list of strings", _STRINGS, _is_strings)
CODES = Form("a string or a list of strings, rule codes or prefixes", _STRINGS, _is_strings)
IGNORES = Form(
    "a table of patterns and codes",
    {"type": "object", "additionalProperties": _STRINGS},
    lambda value: isinstance(value, dict) and all(_is_strings(codes) for codes in value.values()),
)
TARGET = Form("a string such as 'net.py:Net'", {"type": "string"}, lambda value: isinstance(value, str))
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

_CODES_DOC = "codes, prefixes of codes (`CVL3`), names of rules, or `ALL`"

MODEL_KEYS = (
    Key(
        "target",
        TARGET,
        "The model: `path.py:Name`, `package.module:Name`, or with constructor arguments `path.py:Name(64, "
        "groups=8)`. `Name` is a class, a function that returns a model, or an instance. Paths are relative "
        "to the configuration file.",
        "'net.py:Net'",
        needed=True,
    ),
    Key(
        "input",
        STRINGS,
        "Shape of one input without the batch dimension, as for `--input`: `3,224,224`, `mask=1,32,32` for a "
        "keyword, `batch.image=3,64,64` for a dict, `128:int64` for a dtype, `t=:int64` for one value per "
        "sample. A list for several inputs. The default is the model's `example_input_array`, or a size with which the "
        "model runs.",
        "'3,224,224'",
    ),
    Key(
        "args",
        ARGUMENTS,
        "Constructor arguments, if the target has none: a list, a table of keywords, or the text of the "
        "arguments, as in a target.",
        "{ width = 64, groups = 8 }",
    ),
    Key("batch-size", WHOLE, "Number of samples in a batch.", "2", default="1"),
    Key("train", FLAG, "Whether the model runs in training mode.", "true", default="false"),
    Key("max-params", COUNT, "Report CVL113 above this many parameters. Units: `K`, `M`, `G`.", "'5M'"),
    Key("max-macs", COUNT, "Report CVL113 above this many multiply-accumulates in one forward pass.", "'600M'"),
    Key(
        "max-activation-bytes",
        BYTES,
        "Report CVL113 above this much peak activation memory in one forward pass. Units: `MB` (10**6), `MiB` (2**20).",
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
        f"Rules to enable: {_CODES_DOC}. The longest prefix in `select` and `ignore` that matches a code decides.",
        '["CVL1", "CVL2"]',
        default='["CVL1", "CVL2", "CVL3", "CVL900", "CVL901"]',
    ),
    Key("extend-select", CODES, "Rules to enable in addition to `select`.", '["CVL902"]', default="[]"),
    Key("ignore", CODES, f"Rules to disable: {_CODES_DOC}.", '["CVL308"]', default="[]"),
    Key(
        "per-file-ignores",
        IGNORES,
        "Rules that do not run in some files: patterns and codes. A pattern without a slash matches a name at "
        "any depth, one with a slash a path relative to the configuration file.",
        '{ "tests/*" = ["CVL3"], "legacy.py" = "ALL" }',
        default="{}",
    ),
    Key(
        "exclude",
        STRINGS,
        "Files and directories to skip, in addition to those that git ignores and the usual caches; patterns as "
        "above. Files that are named on the command line are checked nevertheless, unless `--force-exclude` is "
        "given.",
        '["experiments/", "*_old.py"]',
        default="[]",
    ),
    Key(
        "fail-on",
        WORD,
        "The lowest severity that makes the exit code 1.",
        '"error"',
        default='"warning"',
        choices=SEVERITIES,
        schema={"enum": list(SEVERITIES)},
    ),
    Key(
        "models",
        MODELS,
        "The models that `convlint check` runs without a target. The static analysis of their files uses their inputs.",
        "[{ target = 'net.py:Net', input = '3,224,224' }]",
        default="[]",
    ),
)
"""The keys of ``[tool.convlint]``."""
