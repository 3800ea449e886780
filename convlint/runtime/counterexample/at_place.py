"""Prove a claim by its place: a call of the class fails in the operation in which it should fail."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from torch import nn

from convlint.ir import Claim, Proof, Site, Witness
from convlint.runtime import code_sites
from convlint.runtime.counterexample.attempt import is_raised_by_user
from convlint.runtime.counterexample.by_repair import Built, Run
from convlint.runtime.counterexample.tried_inputs import known_form
from convlint.runtime.worker.time_limit import at_most

_SECONDS = 10.0  # for one call


def proof_at_place(cls: type[nn.Module], claim: Claim, until: float) -> Proof:
    """Run the trials of a claim on inputs of the shapes that it knows. Raises CannotCallError and TooLongError.

    An error in another line decides nothing, and neither does a call that works.
    """
    reason = "no shape of its inputs is known"
    for trial in claim.trials:
        if time.monotonic() > until:
            return Proof("unknown", reason="the time limit was reached")
        with at_most(_SECONDS):
            for run in _runs(Built(cls, claim, trial.failing)):
                reason = f"{run.text}: {run.reason or 'it works'}"
                if run.error is None or is_raised_by_user(run.error):
                    break
                if _is_at(run.error, claim.sites):
                    shapes = tuple("x".join(map(str, tensor.shape)) for tensor in run.inputs.tensors)
                    return Proof("fails", Witness(run.text, shapes, run.reason, ""))
    return Proof("unknown", reason=reason)


def _runs(built: Built) -> Iterator[Run]:
    """The constructor call if it fails, else calls of the module with the known shapes."""
    if built.error is not None or built.model is None:
        yield Run(built.call.text, error=built.error)
        return
    form = known_form(built.model, built.shapes)
    if form is not None:
        for sizes in form.sizes(is_known=True):
            yield built.run(form.inputs(built.model, sizes))


def _is_at(error: Exception, sites: tuple[Site, ...]) -> bool:
    """Return whether the innermost line of the program that raised an error is one of the lines."""
    line, path, trace = 0, "", error.__traceback__
    while trace is not None:
        if not code_sites.is_foreign(trace.tb_frame.f_code):
            line, path = trace.tb_lineno, os.path.realpath(trace.tb_frame.f_code.co_filename)
        trace = trace.tb_next
    return any(path == os.path.realpath(site.path) and site.line <= line <= site.end_line for site in sites)
