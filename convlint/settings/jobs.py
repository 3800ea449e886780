"""Jobs for the worker process: what to run, and its limits."""

from __future__ import annotations

from collections.abc import Mapping

from convlint.ir import Claim, ModelVersion
from convlint.settings.input_shapes import InputSpec
from convlint.settings.targets import Target
from convlint.support.dataclass import dataclass, field


@dataclass(frozen=True, slots=True)
class Job:
    """A model to run, with its limits: ``timeout`` in seconds, ``max_memory`` in bytes.

    ``inputs_from`` names the source of ``inputs`` in reports: the option or the configuration file. Dotted modules are
    looked up in ``root`` first. ``at_once`` is the number of jobs that share the memory and the cores of the machine;
    ``folder`` is the working directory if it is not that of the worker.
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
        return self.target.text


@dataclass(frozen=True, slots=True)
class ClaimJob:
    """A claim to test by building and running its class, with limits as in ``Job``."""

    claim: Claim
    timeout: float = 30.0
    max_memory: int | None = None
    root: str = "."
    at_once: int = 1
    folder: str | None = None

    @property
    def text(self) -> str:
        return self.claim.cls


@dataclass(frozen=True, slots=True)
class VersionsJob:
    """Versions of a project's text in which to run the model of ``job``, each on its own and with the job's limits.

    ``libraries`` are modules that all versions share; they are imported once, before the first version. ``purpose`` is
    what a terminal shows meanwhile. ``soon`` are modules of torch that later jobs need: the worker imports them while
    this job runs.
    """

    job: Job
    versions: tuple[ModelVersion, ...]
    libraries: tuple[str, ...] = ()
    purpose: str = ""
    soon: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return self.job.text

    @property
    def timeout(self) -> float:
        """The limit for all versions and for importing the libraries."""
        return self.job.timeout * (1 + len(self.versions))

    @property
    def max_memory(self) -> int | None:
        return self.job.max_memory

    @property
    def at_once(self) -> int:
        return self.job.at_once

    @property
    def folder(self) -> str | None:
        return self.job.folder
