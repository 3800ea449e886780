"""Jobs for the worker process: what to run, and its limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from convlint.ir import Claim, ModelVersion
from convlint.settings.input_shapes import InputSpec
from convlint.settings.targets import Target


@dataclass(frozen=True, slots=True)
class Job:
    """One model to run, and how. ``timeout`` is in seconds, ``max_memory`` in bytes.

    ``inputs_from`` is the place that a report names for ``inputs``: the option or the configuration
    file. Dotted modules are looked up in ``root`` first. ``at_once`` is how many jobs share the machine, its memory
    and its cores; ``folder`` is the working directory, where it is not that of the worker.
    """

    target: Target
    inputs: tuple[InputSpec, ...] = ()
    inputs_from: str = "--input"
    input_file: str | None = None
    batch_size: int = 1
    device: str = "cpu"
    dtype: str | None = None
    train: bool = False
    budgets: Mapping[str, int] = field(default_factory=dict)
    timeout: float = 120.0
    max_memory: int | None = None
    at_once: int = 1
    root: str = "."
    folder: str | None = None

    @property
    def text(self) -> str:
        """What is run, for messages."""
        return self.target.text


@dataclass(frozen=True, slots=True)
class ClaimJob:
    """A claim to prove by running its class, with limits as those of a ``Job``."""

    claim: Claim
    timeout: float = 30.0
    max_memory: int | None = None
    root: str = "."
    at_once: int = 1

    @property
    def text(self) -> str:
        """What is run, for messages."""
        return self.claim.cls


@dataclass(frozen=True, slots=True)
class VersionsJob:
    """Versions of a project's text to run the model of a job in, each for itself and with the job's limits.

    ``libraries`` are imported once, before: they are the same for all.
    """

    job: Job
    versions: tuple[ModelVersion, ...]
    libraries: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What is run, for messages."""
        return self.job.text

    @property
    def timeout(self) -> float:
        """Of all versions, and of importing libraries."""
        return self.job.timeout * (1 + len(self.versions))

    @property
    def max_memory(self) -> int | None:
        """As the job's."""
        return self.job.max_memory

    @property
    def at_once(self) -> int:
        """As the job's."""
        return self.job.at_once
