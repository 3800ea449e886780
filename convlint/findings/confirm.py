"""What proofs make of findings: a bug that was shown is an error, a suspicion that was refuted is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from convlint.ir import Claim, Finding, Proof

Runs = Callable[[Claim], Proof]


def prove(findings: Sequence[Finding], worker_run: Runs | None) -> list[Finding]:
    """The findings, each that claims something with its witness, or as the suspicion that it was.

    A finding whose claim was refuted is left out, and one that is nothing without a proof where it
    has none. ``worker_run`` builds and runs the class of a claim; None: nothing is run.
    """
    proofs: dict[Claim, Proof] = {}
    return [proved for finding in findings for proved in _proved(finding, worker_run, proofs)]


def _proved(
    finding: Finding, worker_run: Runs | None, proofs: dict[Claim, Proof]
) -> Iterator[Finding]:
    claim = finding.claim
    if claim is None:
        yield finding
        return
    if worker_run is not None and claim not in proofs:
        proofs[claim] = worker_run(claim)
    proof = proofs.get(claim, Proof("unknown"))
    if proof.verdict == "fails":
        severity = finding.severity if finding.severity == "info" else "error"
        yield finding.with_(severity=severity, confidence="high", witness=proof.witness)
    elif proof.verdict == "unknown" and not claim.needed:
        yield finding
