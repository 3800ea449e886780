"""Base classes of rules: a code, a name, a page, examples that are checked, and a function that checks a graph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from convlint.ir import Confidence, Finding, Fix, Related, Severity, Site
from convlint.rules.codes import Decides

if TYPE_CHECKING:
    from convlint.ir import Graph, Layer
    from convlint.rules.example_files import Example

Family = Literal["invalid", "latent", "advice", "file"]
_FAMILIES: Mapping[str, Family] = {
    "1": "invalid",  # cannot work
    "2": "latent",  # works only for some arguments
    "3": "advice",  # wasteful or ineffective
    "9": "file",  # about a file as such
}

Needs = Literal[
    "anything",  # the rule always runs
    "failed-call",  # a layer or a call that raises
    "unbatched-conv",  # a convolution of a tensor without a batch dimension
    "norm-of-parameters",  # a norm whose channels depend on parameters of the class
    "layer-of-parameters",  # a convolution or linear layer of the same kind
    "depthwise-of-parameters",  # a depthwise convolution of the same kind
    "ignored-argument",  # a constructor argument that no layer depends on
    "plain-container",  # modules in a list, tuple or dict
    "modules-in-forward",  # layers with parameters that a forward builds
    "bias-before-norm",  # a layer with a bias whose output a norm reads
    "padded-pointwise",  # padding in a direction in which the kernel is 1
    "stride-exceeds-kernel",
    "even-kernel",
]


def related_to(message: str, site: Site | None) -> tuple[Related, ...]:
    """The related line of a finding, if it is known."""
    return (Related(message, site),) if site is not None else ()


class Rule(ABC):
    """Base of all rules.

    The class docstring is the rule's page in Markdown: a sentence that says what the rule reports, then the headings
    ``## Why is this bad?``, ``## Use instead`` and, where they apply, ``## Fix safety`` and ``## References``. The
    page generator adds ``## What it does`` and the examples.

    The examples are files in ``convlint/rules/examples/CODE``. The rule reports each line of ``bad_*.py`` that ends in
    ``# CODE``, and nothing in ``good_*.py``. ``bad_x.fixed.py`` is what ``--fix --unsafe-fixes`` makes of
    ``bad_x.py``. ``bad_THE_NAME.py``, named after the rule, is the first on the page, and ``good_THE_NAME.py`` or its
    fixed file is what to use instead.

    Both modes check them where both decide the rule; a run builds ``Net`` and passes ``3,32,32``. A first line
    ``# example: run only --input 4,100 --train`` changes that: ``run only`` leaves out the static check, the rest are
    options of ``convlint check``. A file that Python cannot parse ends in ``.py.txt``.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity] = "error"
    decided_by: ClassVar[tuple[Decides, ...]] = ("run",)  # the rule runs in no other mode
    needs: ClassVar[Needs]  # what an execution must have for a static finding; required if decided by source
    operators: ClassVar[frozenset[str]] = frozenset()  # calls whose wrong numbers of channels or features it reports
    literal_numbers_only: ClassVar[bool] = False  # static findings only about numbers written in the source
    unnecessary_code: ClassVar[bool] = False  # what it reports can be deleted: editors fade it
    fallback: ClassVar[bool] = False  # silent about calls whose failure another finding explains

    @property
    def family(self) -> Family:
        return _FAMILIES[self.code[3]]

    @property
    def bad(self) -> tuple[Example, ...]:
        from convlint.rules.example_files import examples  # no check reads them

        return examples(self.code, "bad")

    @property
    def good(self) -> tuple[Example, ...]:
        from convlint.rules.example_files import examples  # no check reads them

        return examples(self.code, "good")

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

    def constructor_finding(self, graph: Graph, layer: Layer, message: str) -> Finding:
        """A finding about a layer whose constructor raised; ``message`` follows the layer's name."""
        text = f"{layer.kind} `{layer.name}`{message}"
        failed = tuple([node.id for node in graph.nodes_of(layer.name) if node.error])
        return self.finding(text, layer.site, module=layer.name, nodes=failed)

    @classmethod
    def page(cls) -> str:
        """The rule's docstring, cleaned of its indentation."""
        import inspect  # only pages need it, and start-up is measured

        return inspect.cleandoc(cls.__doc__ or "")


class FileRule(Rule):
    """Base of the rules about files as such, which no graph shows: whoever reads the file makes their findings."""

    decided_by = ("source",)

    def check(self, graph: Graph) -> Iterator[Finding]:
        del graph
        return iter(())
