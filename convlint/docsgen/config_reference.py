"""The reference of the settings, from ``keys``: docs/configuration.md and docs/config-schema.json.

``python -m convlint.docsgen.config_reference docs`` writes both.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from convlint.rules.codes import codes
from convlint.settings.schema import CODES, KEYS, MODEL_KEYS, Key

_HEAD = """\
# Configuration

Generated from the settings by `python -m convlint.docsgen.config_reference docs`.

convlint reads `[tool.convlint]` of pyproject.toml, or the same keys at the top level of convlint.toml. The nearest
file upwards from the working directory counts; in one folder convlint.toml comes first, and a pyproject.toml without
`[tool.convlint]` is passed over. Paths and patterns are relative to the folder of that file. `convlint init` writes a
first version.

Options of the command line come over the file: `--select` and `--fail-on` take the place of its keys, `--ignore`,
`--extend-select` and `--exclude` add to them, and `--isolated` reads no file. A key or a code that does not exist is
an error that names the nearest one.

```toml
{example}
```

For editors there is a JSON schema, [config-schema.json](config-schema.json), which describes convlint.toml and what
stands below `[tool.convlint]`. Taplo, and what is built on it, takes it from the first line of convlint.toml:

```toml
#:schema docs/config-schema.json
```
"""

_MODELS_HEAD = """\
## Models

Each `[[tool.convlint.models]]` (in convlint.toml `[[models]]`) is one model. `convlint check` without a target runs
them all, `pytest --convlint` makes each a test, and `convlint check net.py:Net` takes input and budgets from here.
"""


def page() -> str:
    """docs/configuration.md."""
    parts = [_HEAD.format(example=_whole())]
    parts += ["## Keys of [tool.convlint]\n"]
    parts += [_section(key, "tool.convlint") for key in KEYS if key.name != "models"]
    parts += [_MODELS_HEAD, *(_section(key, "tool.convlint.models") for key in MODEL_KEYS)]
    return "\n".join(parts)


def _section(key: Key, table: str) -> str:
    """The heading of a key, what it is for, and an example that can be copied."""
    takes = (
        f"one of {', '.join(f'`{one}`' for one in key.choices)}" if key.choices else key.form.words
    )
    facts = [f"Takes {takes}."]
    if key.default:
        facts.append(f"Default: `{key.default}`.")
    elif key.needed:
        facts.append("It must be there.")
    lines = [f"[[{table}]]", "target = 'net.py:Net'"] if key in MODEL_KEYS else [f"[{table}]"]
    lines = [line for line in lines if line != f"{key.name} = {key.example}"]
    example = "\n".join([*lines, f"{key.name} = {key.example}"])
    prose = [_wrapped(key.doc), _wrapped(" ".join(facts))]
    return "\n\n".join([f"### {key.name}", *prose, f"```toml\n{example}\n```\n"])


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def _whole() -> str:
    """All keys of a file at once, as their examples have them."""
    own = [f"{key.name} = {key.example}" for key in KEYS if key.name != "models"]
    shown = ("target", "input", "max-params")
    model = [f"{key.name} = {key.example}" for key in MODEL_KEYS if key.name in shown]
    return "\n".join(["[tool.convlint]", *own, "", "[[tool.convlint.models]]", *model])


def schema() -> dict[str, Any]:
    """docs/config-schema.json: draft 7, which editors of TOML read."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Settings of convlint",
        "description": "convlint.toml, and what stands below [tool.convlint] in pyproject.toml.",
        **_table(KEYS),
        "definitions": {"model": _table(MODEL_KEYS)},
    }


def _table(keys: Sequence[Key]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [key.name for key in keys if key.needed],
        "properties": {key.name: _value(key) for key in keys},
    }


def _value(key: Key) -> dict[str, Any]:
    examples = {"examples": [["ALL"], *([code] for code in codes())]} if key.form is CODES else {}
    return {"description": key.doc.replace("`", ""), **key.form.schema, **key.schema, **examples}


def files() -> Iterator[tuple[str, str]]:
    """Every generated file: its name, and its text."""
    yield "configuration.md", page()
    yield "config-schema.json", json.dumps(schema(), indent=2) + "\n"


def main(folder: str) -> None:
    """Write the generated files into ``folder``."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, text in files():
        (target / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
