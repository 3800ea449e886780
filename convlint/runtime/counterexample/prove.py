"""Prove a claim: build and run the class with other integers, and with others that work as a control.

Only for a child of the worker, because the class's module stays imported and its output is discarded.
"""

from __future__ import annotations

import operator
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from convlint.ir import Claim, Instantiation, Proof, Witness
from convlint.runtime.build import load_target
from convlint.runtime.counterexample.at_place import proof_at_place
from convlint.runtime.counterexample.attempt import Outcome, SuspectCall
from convlint.runtime.counterexample.by_repair import proof_by_repair
from convlint.runtime.counterexample.call_again import CannotCallError, call_of
from convlint.runtime.counterexample.edited_class import edited_class
from convlint.runtime.failures import ProblemError, one_line
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.model_run import prepare_process
from convlint.runtime.worker.client import JobResult
from convlint.runtime.worker.time_limit import TooLongError, at_most
from convlint.settings.jobs import ClaimJob
from convlint.settings.targets import Target, parse_target

_SECONDS = 5.0  # for one attempt
_SHARE = 0.8  # of the time limit, after which no further trial starts


def prove_job(job: ClaimJob, enter: Callable[[str], None] = lambda _: None) -> JobResult:
    """Try to prove a claim. Only for a process that exits after the job."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    prepare_process()
    until = time.monotonic() + _SHARE * job.timeout
    enter("import")
    try:
        cls = _load_class(job)
        enter("witness")
        with torch.no_grad():
            return JobResult(proof=proof(cls, edited_class(job.claim, job.root), job.claim, until))
    except CannotCallError as refusal:
        reason = str(refusal)
    except TooLongError:
        reason = f"{job.claim.cls} took more than {_SECONDS:g} s with other arguments"
    return JobResult(proof=Proof("unknown", reason=reason))


def proof(cls: type[nn.Module], repaired: type[nn.Module] | None, claim: Claim, until: float) -> Proof:
    """Prove a claim by its repair, by calls that fail while a control works, or by the place of the error.

    Raises CannotCallError and TooLongError.
    """
    if repaired is not None:
        found = proof_by_repair(cls, repaired, claim, until)
        if found.verdict != "unknown":
            return found
    if all(trial.control is None for trial in claim.trials):
        return proof_at_place(cls, claim, until)
    return _proof(cls, claim, until)


def _load_class(job: ClaimJob) -> type[nn.Module]:
    """Return the class of a claim. Raises CannotCallError."""
    claim = job.claim
    try:
        if claim.target is not None:  # sets up sys.path as in the recorded run
            load_target.find_object(parse_target(claim.target), job.root)
        cls = _imported_class(claim) or load_target.find_object(Target(claim.cls, claim.path, name=claim.cls), job.root)
    except ProblemError as error:
        raise CannotCallError(error.problem.message) from error
    except Exception as error:
        text = f"{claim.path} cannot be imported: {type(error).__name__}: {one_line(error)}"
        raise CannotCallError(text) from error
    if isinstance(cls, type) and issubclass(cls, nn.Module):
        return cls
    raise CannotCallError(f"{claim.cls} is not a subclass of nn.Module")


def _imported_class(claim: Claim) -> Any:
    """The class, if importing the target has imported its file."""
    file = os.path.realpath(claim.path)
    for module in list(sys.modules.values()):
        place = getattr(module, "__file__", None)
        if isinstance(place, str) and os.path.realpath(place) == file:
            return operator.attrgetter(claim.cls)(module)
    return None


def _proof(cls: type[nn.Module], claim: Claim, until: float) -> Proof:
    """Run the trials until one proves the claim.

    The claim is refuted if the class works with other integers, or rejects them with an error of its own. Failures
    elsewhere decide nothing. Raises CannotCallError and TooLongError.
    """
    outcomes: set[Outcome] = set()
    reason = "no control call works"
    controls: dict[Instantiation, tuple[str, Inputs] | None] = {}
    for trial in claim.trials:
        if time.monotonic() > until:
            return Proof("unknown", reason="the time limit was reached")
        if trial.control is None:
            continue
        if trial.control not in controls:
            controls[trial.control] = _control(cls, claim, trial.control)
        control = controls[trial.control]
        if control is None:
            continue
        works, inputs = control
        call = call_of(cls, claim, trial.failing)
        with at_most(_SECONDS):
            outcome, failing, error = SuspectCall(call, claim, trial.failing).outcome(inputs)
        text = f"{type(error).__name__}: {one_line(error)}" if error else ""
        if outcome == "fails":
            shapes = tuple("x".join(map(str, tensor.shape)) for tensor in failing.tensors)
            return Proof("fails", Witness(call.text, shapes, text, works))
        outcomes.add(outcome)
        reason = ": ".join(filter(None, (f"{call.text} {outcome}", text)))
    refuted = "works" in outcomes or outcomes == {"refused"}
    return Proof("works" if refuted else "unknown", reason=reason)


def _control(cls: type[nn.Module], claim: Claim, attempt: Instantiation) -> tuple[str, Inputs] | None:
    """The text of a call that should work, and an input on which it works; None if there is none."""
    call = call_of(cls, claim, attempt)
    with at_most(_SECONDS):
        inputs = SuspectCall(call, claim, attempt).find_working_input()
    return None if inputs is None else (call.text, inputs)
