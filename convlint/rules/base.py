"""What a rule is: a code, a name, a page, examples that are executed, and one function over a graph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from convlint.ir import Confidence, Finding, Fix, Related, Severity, Site

if TYPE_CHECKING:
    from convlint.ir import Graph

Decides = Literal["source", "run"]
Family = Literal["invalid", "latent", "advice", "file"]
"""1xx: cannot work; 2xx: works only for some arguments; 3xx: wasteful or ineffective; 9xx: about a file as such."""

Needs = Literal[
    "anything",  # the rule always runs
    "failed-call",  # a layer or a call that raises
    "unbatched-conv",  # a convolution of a tensor without a batch dimension
    "norm-of-parameters",  # a norm whose channels depend on parameters of the class
    "layer-of-parameters",  # a convolution or linear layer of the same kind
    "depthwise-of-parameters",  # a depthwise convolution of the same kind
    "ignored-argument",  # a constructor argument that no layer depends on
    "plain-container",  # modules in a list, tuple or dict
    "bias-before-norm",  # a layer with a bias whose output a norm reads
    "padded-pointwise",  # padding in a direction in which the kernel is 1
    "stride-exceeds-kernel",
    "even-kernel",
]


@dataclass(frozen=True, slots=True)
class Example:
    """A small file, checked for real by the tests and printed on the rule's page.

    ``call`` is the target within it and ``input`` the ``--input`` values, where the rule is decided by a run; else the
    file is only read. Every line on which the rule must fire ends in ``# CVLxxx``; a file without such a line must be
    silent. ``options`` are further command line options. ``decided_by`` is for an example that only one of the rule's
    ways can tell: a name that a module lacks is seen when it runs.
    """

    source: str
    call: str = "Net"
    input: tuple[str, ...] = ("3,32,32",)
    options: tuple[str, ...] = ()
    decided_by: tuple[Decides, ...] | None = None  # None: in every way in which the rule is


class Rule(ABC):
    """Base of all rules. The class docstring is the rule's page, in Markdown.

    It has, in this order: one sentence that says what the rule reports, then the headings ``## Why is this bad?``,
    ``## What to do`` and, where there is one, ``## Fix safety`` and ``## References``.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    family: ClassVar[Family]
    severity: ClassVar[Severity] = "error"
    decided_by: ClassVar[tuple[Decides, ...]] = ("run",)  # the rule runs in no other mode
    needs: ClassVar[
        Needs
    ]  # what an execution must have for a static finding; required if decided by source
    literal_numbers_only: ClassVar[bool] = (
        False  # static findings only about numbers written in the source
    )
    unnecessary_code: ClassVar[bool] = False  # what it reports can be deleted: editors fade it
    fallback: ClassVar[bool] = False  # silent about calls whose failure another finding explains
    bad: ClassVar[tuple[Example, ...]]
    good: ClassVar[tuple[Example, ...]]

    @abstractmethod
    def check(self, graph: Graph) -> Iterator[Finding]:
        """Yield what is wrong in ``graph``. Never prints, stores, mutates, or imports torch."""

    def finding(
        self,
        message: str,
        site: Site | None,
        *,
        module: str | None = None,
        severity: Severity | None = None,
        confidence: Confidence = "high",
        related: tuple[Related, ...] = (),
        fix: Fix | None = None,
        nodes: tuple[int, ...] = (),
    ) -> Finding:
        """A finding of this rule."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=severity or self.severity,
            message=message,
            site=site,
            confidence=confidence,
            module=module,
            related=related,
            fix=fix,
            nodes=nodes,
        )

    @classmethod
    def page(cls) -> str:
        """The rule's docstring, cleaned of its indentation."""
        import inspect  # only pages need it, and start-up is measured

        return inspect.cleandoc(cls.__doc__ or "")


class FileRule(Rule):
    """Base of the rules about files as such, which no graph shows: whoever reads the file makes their findings."""

    family = "file"
    decided_by = ("source",)

    def check(self, graph: Graph) -> Iterator[Finding]:
        del graph
        return iter(())
