"""Prove the claims of latent defects in classes of published packages, as ``check --confirm`` does.

The packages are loaded already, so that a proof takes tenths of a second.
"""

from __future__ import annotations

import time
from dataclasses import replace

from bench import children, latent_classes
from convlint.ir import Claim, Finding, Proof
from convlint.source_text import edits

_SECONDS = 60.0


def proof(module: str, path: str, source: str, finding: Finding) -> Proof:
    """Return what a run shows about a finding in the file ``path`` of a module with another text."""
    claim = finding.claim
    if claim is not None and not claim.edits and finding.fix is not None:
        claim = replace(claim, edits=finding.fix.edits)
    if claim is None or {each.site.path for each in claim.edits} != {claim.path} or not claim.path.endswith(path):
        return Proof("unknown", reason="no repair in the file of the class")
    repaired = edits.apply(source.encode(), claim.edits).decode()
    try:
        found: Proof = children.call(_proof, module, source, repaired, claim, timeout=_SECONDS)
    except children.ChildFailedError as error:
        return Proof("unknown", reason=str(error).strip().splitlines()[-1])
    return found


def _proof(module: str, source: str, repaired: str, claim: Claim) -> Proof:
    """Only for a process of its own."""
    import torch

    from convlint.runtime.counterexample.by_repair import proof_by_repair
    from convlint.runtime.counterexample.call_again import CannotCallError

    before = latent_classes.load(module, source)[claim.cls]
    after = latent_classes.load(module, repaired)[claim.cls]
    try:
        with torch.no_grad():
            return proof_by_repair(before, after, claim, time.monotonic() + _SECONDS / 2)
    except CannotCallError as error:
        return Proof("unknown", reason=str(error))
