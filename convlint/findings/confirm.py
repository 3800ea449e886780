"""Confirm latent findings: a claim that is proved makes an error, a claim that is refuted removes the finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from convlint.ir import Claim, Finding, Proof
from convlint.support.dataclass import replace

ProveClaim = Callable[[Claim], Proof]  # builds and runs the class of a claim


def confirmed(findings: Sequence[Finding], prove_claim: ProveClaim | None) -> list[Finding]:
    """Return the findings after their claims were run; None runs nothing.

    A finding whose claim fails becomes an error with a witness. A finding whose claim works is dropped. If the claim
    was not run, or the run does not decide it, the finding stays as it is, unless the claim is needed. An error without
    a claim gets a witness if the call of a class that fails with it can be repeated.
    """
    proofs: dict[Claim, Proof] = {}
    return [after for finding in findings for after in _confirmed(finding, prove_claim, proofs)]


def _confirmed(finding: Finding, prove_claim: ProveClaim | None, proofs: dict[Claim, Proof]) -> Iterator[Finding]:
    claim = finding.claim
    if claim is None:
        yield finding if prove_claim is None else _with_failing_call(finding, prove_claim)
        return
    if prove_claim is not None and claim not in proofs:
        proofs[claim] = prove_claim(claim)
    proof = proofs.get(claim, Proof("unknown"))
    if proof.verdict == "fails":
        severity = finding.severity if finding.severity == "info" or claim.rounding else "error"
        proved = finding.with_(severity=severity, confidence="high", witness=proof.witness)
        yield _with_run_repair(proved) if proof.repaired else proved
    elif proof.verdict == "unknown" and not claim.needed:
        yield finding


def _with_failing_call(finding: Finding, prove_claim: ProveClaim) -> Finding:
    """The error with the first of its calls that fails in a run as well. A call that works elsewhere refutes nothing:
    the class may be built or called in another way there.
    """
    edits = finding.repairs[0].edits if finding.repairs and finding.repairs[0].verified else ()
    for call in finding.calls:
        proof = prove_claim(replace(call, edits=edits))
        if proof.verdict == "fails":
            proved = finding.with_(witness=proof.witness)
            return _with_run_repair(proved) if proof.repaired and edits else proved
    return finding


def _with_run_repair(finding: Finding) -> Finding:
    """The finding with its first repair as one with which the class was run."""
    first, *others = finding.repairs
    return finding.with_(repairs=(replace(first, verified="run", effect="the class then runs"), *others))
