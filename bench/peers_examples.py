"""Copy the models with planted bugs: the first bad example of each rule that a run decides."""

from __future__ import annotations

import atexit
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from convlint.rules.registry import decided_by


@cache
def broken_models() -> dict[str, Path]:
    """Return files of the models, by code and name of their rule: ``cvl101_groups_not_dividing``.

    They are copies: convlint reports no lines in its own package.
    """
    folder = TemporaryDirectory(prefix="convlint-models-")
    atexit.register(folder.cleanup)
    found = {}
    for rule in decided_by("run"):
        name = f"{rule.code.lower()}_{rule.name.replace('-', '_')}"
        found[name] = Path(folder.name, f"{name}.py")
        found[name].write_text(rule.bad[0].source, encoding="utf-8")
    return found
