"""The result of running a rewritten model on the user's data, as lines of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from convlint.ir import DataEvidence

_MAX_LAYERS = 6


def lines(found: DataEvidence) -> Iterator[tuple[str, str]]:
    """The measurements, and how to go on with training."""
    more = "" if found.complete else "; the loader yields more"
    yield "data", f"weights fitted to the outputs of each layer on {found.samples:,} samples of {found.loader}{more}"
    if found.norms:
        norms = "1 norm was" if found.norms == 1 else f"{found.norms} norms were"
        yield "recalibrated", f"the statistics of {norms} estimated again on the same samples, by forward passes only"
    yield "output error", _then([f"{error:.3f}" for error in found.output_errors], ("converted", "recalibrated"))
    if found.metrics:
        values = [f"{100 * v:.1f} %" if found.metric == "accuracy" else f"{v:.4g}" for v in found.metrics]
        yield found.metric, _then(values, ("original", "converted", "recalibrated")) + " (on the samples of the fit)"
    else:
        yield "metric", "none: the loader yields no targets that are classes of the outputs or have their shape"
    if found.layer_errors:
        yield "error of layers", _layers(found.layer_errors)
    if found.sensitivity:
        yield "sensitivity", f"output error if only this layer is converted: {_layers(found.sensitivity)}"
    yield "next", f"no training was done; fine-tune the rewritten model: {'; '.join(fine_tuning(found))}"


def fine_tuning(found: DataEvidence) -> tuple[str, str, str]:
    """Three lines of code that train the rewritten model."""
    return (
        f"model.load_state_dict(torch.load({(found.checkpoint or 'NEW.pt')!r}))",
        "optimizer = torch.optim.SGD(model.train().parameters(), lr=0.01, momentum=0.9)",
        "for x, y in loader(): optimizer.zero_grad(); loss(model(x), y).backward(); optimizer.step()",
    )


def _then(values: list[str], names: tuple[str, ...]) -> str:
    return ", ".join(f"{value} {name}" for value, name in zip(values, names, strict=False))


def _layers(errors: Mapping[str, float]) -> str:
    worst = sorted(errors.items(), key=lambda pair: -pair[1])
    text = ", ".join(f"{name} {error:.3f}" for name, error in worst[:_MAX_LAYERS])
    return text + (f" and {len(worst) - _MAX_LAYERS} more" if len(worst) > _MAX_LAYERS else "")
