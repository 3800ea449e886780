"""Prove the findings in classes of published packages, as ``check --confirm`` does.

The packages are loaded already, so that a proof takes tenths of a second.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import time
from dataclasses import replace
from pathlib import Path

from bench import children, latent_classes
from convlint.findings.confirm import confirmed
from convlint.ir import Claim, Finding, Proof, Site
from convlint.source_text import edits

_SECONDS = 60.0


def proof(module: str, path: str, source: str, finding: Finding) -> Proof:
    """Return what runs show about a finding in the file ``path`` of a module with another text."""
    proofs: list[Proof] = []

    def prove(claim: Claim) -> Proof:
        proofs.append(_of_claim(module, path, source, claim))
        return proofs[-1]

    confirmed([finding], prove)
    failing = next((proof for proof in proofs if proof.verdict == "fails"), None)
    return failing or (proofs[0] if proofs else Proof("unknown", reason="no call of a class is known"))


def _of_claim(module: str, path: str, source: str, claim: Claim) -> Proof:
    sites = tuple(replace(site, path=os.path.abspath(site.path)) for site in claim.sites)
    claim = replace(claim, path=os.path.abspath(claim.path), sites=sites)
    texts = {claim.path: source} if claim.path.endswith(path) else {}
    changed = {os.path.abspath(each.site.path) for each in claim.edits}
    if not changed <= texts.keys():
        claim = replace(claim, edits=())
    repaired = edits.apply(source.encode(), claim.edits).decode() if claim.edits else None
    folder = claim.path.removesuffix(path) if texts else _folder(claim.path)
    try:
        found: Proof = children.call(_proof, module, path, source, repaired, claim, folder, timeout=_SECONDS)
    except children.ChildFailedError as error:
        return Proof("unknown", reason=str(error).strip().splitlines()[-1])
    return found


def _folder(path: str) -> str:
    """The folder of the packages of which a file is a copy."""
    parts = Path(path).parts
    last = max(parts.index(name) for name in ("timm", "torchvision") if name in parts)
    return os.path.join(*parts[:last], "")


def _proof(module: str, path: str, source: str, repaired: str | None, claim: Claim, folder: str) -> Proof:
    """Only for a process of its own."""
    import torch

    from convlint.runtime.counterexample.call_again import CannotCallError
    from convlint.runtime.counterexample.prove import proof as proof_of
    from convlint.runtime.worker.time_limit import TooLongError

    def load(text: str) -> type[torch.nn.Module]:
        names = latent_classes.load(module, text, str(latent_classes.place_of(module)))
        if claim.path.endswith(path):
            return names[claim.cls]  # type: ignore[no-any-return]
        other = claim.path.removeprefix(folder).removesuffix(".py").replace(os.sep, ".")
        return getattr(importlib.import_module(other), claim.cls)  # type: ignore[no-any-return]

    claim = replace(claim, sites=tuple(_installed(site, folder) for site in claim.sites))
    before = load(source)
    after = None if repaired is None else load(repaired)
    try:
        with torch.no_grad():
            return proof_of(before, after, claim, time.monotonic() + _SECONDS / 2)
    except (CannotCallError, TooLongError) as error:
        return Proof("unknown", reason=str(error))


def _installed(site: Site, folder: str) -> Site:
    """The line in the package itself of a line in its copy."""
    name = site.path.removeprefix(folder)
    spec = importlib.util.find_spec(name.split(os.sep)[0])
    assert spec is not None
    assert spec.origin is not None
    return replace(site, path=str(Path(spec.origin).parent.parent / name))
