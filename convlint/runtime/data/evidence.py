"""Convert a model on the user's data, and measure the result."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from torch import nn

from convlint.ir import ChannelOrder, DataEvidence, ModelVersion, Replacement, VersionRun
from convlint.runtime.data import loader
from convlint.runtime.data.calibrate import recalibrate
from convlint.runtime.data.convert import convert_on_data
from convlint.runtime.data.loader import Batch
from convlint.runtime.data.measure import metric_of, outputs_of, relative_error
from convlint.runtime.data.study import study
from convlint.runtime.failures import ProblemError
from convlint.runtime.weights import checkpoint, checkpoint_file
from convlint.settings.jobs import Job

_SENSED = 2  # batches for the sensitivity of layers


def run(model: nn.Module, version: ModelVersion, job: Job) -> VersionRun:
    """Study forms of the original model, or convert it on data and measure that; see ``ModelVersion``.

    The converted checkpoint is written to ``version.save``. Raises ProblemError.
    """
    model.eval()
    orders: Sequence[ChannelOrder] = () if version.study else version.channel_orders
    put_back = None
    if version.weights is not None:
        put_back = checkpoint.load_reordered(model, version.weights, version.replacements, orders)
    data = None if version.data is None else loader.load(version.data, job.root, model, job.timeout)
    batches = data.batches if data else ()
    if version.study:
        return VersionRun(studied=tuple(study(model, version.study, batches, job.timeout)))
    if data is None:
        raise ProblemError("data", "there is no data to convert the model on")
    converted, errors = convert_on_data(model, version.replacements, batches, calibrated=version.recalibrate)
    reference = outputs_of(model, batches)
    models = [converted]
    norms = 0
    if version.recalibrate:
        again = copy.deepcopy(converted)
        norms = recalibrate(again, batches)
        models.append(again)
    metrics = [metric_of(each, batches) for each in (model, *models)]
    values = tuple(found[1] for found in metrics if found is not None)
    evidence = DataEvidence(
        str(version.data),
        data.samples,
        data.complete,
        tuple(relative_error(outputs_of(each, batches), reference) for each in models),
        metrics[0][0] if metrics[0] is not None and len(values) == len(metrics) else "",
        values if len(values) == len(metrics) else (),
        errors,
        _sensitivity(model, version.replacements, batches[:_SENSED]) if version.sensitivity else {},
        norms,
        version.save,
    )
    if version.save is not None:
        state = models[-1].state_dict()
        checkpoint_file.save(
            version.save, put_back(state, bare=version.save.endswith(".safetensors")) if put_back else dict(state)
        )
    return VersionRun(evidence=evidence)


def _sensitivity(model: nn.Module, forms: Mapping[str, Replacement], batches: Sequence[Batch]) -> dict[str, float]:
    """The output error of the model if only one layer is converted, for each layer."""
    reference = outputs_of(model, batches)
    found = {}
    for name, form in forms.items():
        converted, _ = convert_on_data(model, {name: form}, batches, calibrated=False)
        found[name] = relative_error(outputs_of(converted, batches), reference)
    return found
