"""The class of a claim after the claim's edits: imported again from the edited text."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from torch import nn

from convlint.ir import Claim, Edit
from convlint.runtime.build import load_target, overlay
from convlint.settings.targets import Target
from convlint.source_text.edits import apply
from convlint.support.regular_file import read_regular_file


def edited_class(claim: Claim, root: str) -> type[nn.Module] | None:
    """The class after the edits; None if there are none, or if the edited files cannot be imported.

    The modules of these files stay replaced in ``sys.modules``.
    """
    if not claim.edits:
        return None
    try:
        texts = _edited(claim.edits)
        paths = {os.path.realpath(path) for path in (*texts, claim.path)}
        for name, module in list(sys.modules.items()):
            place = getattr(module, "__file__", None)
            if isinstance(place, str) and os.path.realpath(place) in paths:
                del sys.modules[name]
        with overlay.files_replaced(texts):
            found = load_target.find_object(Target(claim.cls, claim.path, name=claim.cls), root)
    except Exception:
        return None  # a package may refuse to be imported twice
    return found if isinstance(found, type) and issubclass(found, nn.Module) else None


def _edited(edits: tuple[Edit, ...]) -> Mapping[str, str]:
    """The files that edits change, with their new contents as ``overlay`` expects them."""
    by_path: dict[str, list[Edit]] = {}
    for edit in edits:
        by_path.setdefault(edit.site.path, []).append(edit)
    return {path: apply(read_regular_file(path), own).decode("latin-1") for path, own in by_path.items()}
