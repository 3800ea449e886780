"""What a ``convlint check`` asks for, as it was written: one field for each option, with its default."""

from __future__ import annotations

from typing import Any


class Asked:
    """The options of ``check``; ``--max-params`` is ``max_params``. What is not given has its default here.

    No dataclass: to make one of so many fields takes as long as a tenth of a check.
    """

    targets: tuple[str, ...] = ()
    # which rules
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    fail_on: str | None = None
    exit_zero: bool = False
    isolated: bool = False
    # which files
    exclude: tuple[str, ...] = ()
    force_exclude: bool = False
    stdin_filename: str | None = None
    show_files: bool = False
    # what is done about findings
    fix: bool = False
    unsafe_fixes: bool = False
    diff: bool = False
    exit_non_zero_on_fix: bool = False
    add_noqa: bool = False
    baseline: str | None = None
    update_baseline: bool = False
    # how files are checked
    jobs: int | None = None
    no_cache: bool = False
    cache_dir: str | None = None
    watch: bool = False
    # how models are run
    prove: bool = False
    models_of: bool = False
    input: tuple[str, ...] = ()
    input_file: str | None = None
    batch_size: int | None = None
    device: str = "cpu"
    dtype: str | None = None
    train: bool = False
    timeout: float = 120.0
    max_memory: str | None = None
    max_params: str | None = None
    max_macs: str | None = None
    max_activation_bytes: str | None = None
    executor: str | None = None
    # how it is printed
    output_format: str = "text"
    output_file: str | None = None
    compare_to: str | None = None
    statistics: bool = False
    quiet: bool = False
    columns: str | None = None
    depth: int | None = None
    sort: str | None = None
    flat: bool = False
    color: str = "auto"
    traceback: bool = False

    def __init__(self, **given: Any) -> None:
        vars(self).update(given)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Asked) and all(
            getattr(self, name) == getattr(other, name) for name in OPTIONS
        )

    __hash__ = None  # type: ignore[assignment]  # nobody looks one up


OPTIONS: dict[str, str] = dict(Asked.__annotations__)
"""The type of every option, as it is written above."""
