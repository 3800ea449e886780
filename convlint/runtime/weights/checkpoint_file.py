"""Read and write the files of checkpoints: of ``torch.save``, and safetensors."""

from __future__ import annotations

import os
import pickle
from typing import Any

import torch

from convlint.runtime.failures import ProblemError, one_line
from convlint.support.atomic_write import atomic_replacement


def read(path: str) -> Any:
    """Read a checkpoint: nested dicts of tensors. No code in it is executed. Raises ProblemError."""
    if not os.path.isfile(path):
        raise ProblemError("missing-file", f"{path} does not exist")
    try:
        if path.endswith(".safetensors"):
            return _safetensors().load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        advice = "save it again with torch.save(model.state_dict(), path)"
        text = f"{path} contains code or objects other than tensors and was not loaded; {advice}"
        raise ProblemError("checkpoint", text, path) from error
    except ImportError as error:
        raise ProblemError("checkpoint", f"{path} needs safetensors: pip install safetensors") from error
    except Exception as error:
        reason = one_line(error).partition(". ")[0]  # the other sentences are advice
        if isinstance(error, KeyError | EOFError):  # the unpickler's own, for a byte that it does not know
            reason = "it is not a file of torch.save"
        raise ProblemError("checkpoint", f"{path} cannot be read as a checkpoint: {reason}", path) from error


def save(path: str, value: Any) -> None:
    """Write a checkpoint to ``path`` atomically. Raises ProblemError."""
    try:
        with atomic_replacement(path) as beside:
            if path.endswith(".safetensors"):
                _safetensors().save_file({name: tensor.contiguous() for name, tensor in value.items()}, beside)
            else:
                with open(beside, "xb") as file:  # not by name, because torch.save would store the name
                    torch.save(value, file)
    except Exception as error:
        raise ProblemError("checkpoint", f"{path} cannot be written: {one_line(error)}", path) from error


def _safetensors() -> Any:
    import safetensors.torch

    return safetensors.torch
