"""The layers of whole models that a program takes from a library: advice about them is not for the program."""

from __future__ import annotations

from collections.abc import Sequence

from convlint.ir import Finding
from convlint.static.exploration.entry_points import ExecutionPath
from convlint.static.interpreter import MODELS


def without_advice_on_models(path: ExecutionPath, findings: Sequence[Finding]) -> Sequence[Finding]:
    """Return findings without the advice about layers of models of libraries: only errors are left of them."""
    built = path.interpreter.built_at.items()
    sites = {layer.site for layer, (_, scope) in built if scope.module.is_library and scope.module.name in MODELS}
    return [each for each in findings if each.severity == "error" or each.site not in sites] if sites else findings
