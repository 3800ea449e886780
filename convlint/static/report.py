"""What the rules find in the executions of a file, and what of that is certain.

What a class asks of its parameters is no defect of the class: it is reported at the call that does
not keep it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from convlint import symbolic
from convlint.analysis import graph_queries, ops
from convlint.ir import Finding, Related, Site
from convlint.rules.registry import rule, without_explained
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, symbols_of
from convlint.static.exploration.entry_points import PARAMETERS, EntryPoint, ExecutionPath
from convlint.static.exploration.explore import Exploration, contracts
from convlint.static.prefilter import Evidence, candidates
from convlint.static.program.project import Project
from convlint.symbolic import Atom, Symbol

if TYPE_CHECKING:
    from convlint.ir import Graph
    from convlint.rules.base import Family, Rule

Place = tuple[str, int, int]


def judged(project: Project, explored: Exploration) -> Iterator[Finding]:
    """What is found in the executions of a root.

    A piece of advice must hold in all of them: a bias that one path needs is no waste. So must an
    error, unless no condition was decided on the path to it: `in_planes == out_planes` may be what
    the class never has.
    """
    found: dict[tuple[str, Place], list[Finding]] = {}
    certain: set[tuple[str, Place]] = set()
    passed: list[set[Place]] = []
    known: set[Evidence] = set()
    for path in explored.paths:
        passed.append(set(_places(path)))
        rules = candidates(path, known)
        if not rules:
            continue
        from convlint.static.graph_builder import graph  # most executions need none

        try:
            judgement = list(_located(project, path, graph(path, rules), rules))
        except Exception:  # noqa: BLE001 - a mistake of ours is told, and the rest is checked
            import traceback

            path.failure = traceback.format_exc()
            continue
        here = {(f.code, _place(f.site)): f for f in judgement if f.site is not None}
        invalid = {key for key, f in here.items() if _family(f) == "invalid"}
        if path.interpreter.left_out and invalid:
            invalid &= _found_with_all_inputs(project, explored, path)
            here = {k: f for k, f in here.items() if k in invalid or _family(f) != "invalid"}
        for key, finding in here.items():
            found.setdefault(key, []).append(finding)
        if not path.interpreter.choices.choices:
            certain |= invalid
    for key, findings in found.items():
        everywhere = sum(key[1] in places for places in passed) <= len(findings)
        if _family(findings[0]) == "latent" or key in certain or everywhere:
            yield findings[0]


def _family(finding: Finding) -> Family:
    return rule(finding.code).family


def _found_with_all_inputs(
    project: Project, explored: Exploration, path: ExecutionPath
) -> set[tuple[str, Place]]:
    """The findings when every optional input is passed: others may only be due to one that was left out."""
    again = explored.with_all_inputs(path)
    path.failure = path.failure or again.failure
    rules = candidates(again, set())
    if not rules:
        return set()
    from convlint.static.graph_builder import graph  # most executions need none

    found = _located(project, again, graph(again, rules), rules)
    return {(f.code, _place(f.site)) for f in found}


def _places(path: ExecutionPath) -> Iterator[Place]:
    for instance in path.interpreter.creators:
        if instance.site is not None:
            yield _place(instance.site)
    for step in path.execution.steps:
        if step.site is not None:
            yield _place(step.site)


def _place(site: Site | None) -> Place:
    return ("", 0, 0) if site is None else (site.path, site.line, site.column)


# --- rules


def _located(
    project: Project, path: ExecutionPath, made: Graph, rules: Sequence[Rule]
) -> Iterator[Finding]:
    found = [f for rule in rules if "source" in rule.decided_by for f in rule.check(made)]
    for finding in without_explained(found):
        if _family(finding) != "invalid":
            literal = rule(finding.code).literal_numbers_only
            if not literal or _is_written_down(path, made, finding):
                yield _in_own_code(path, made, finding)
        elif not _is_supposed(path, made, finding):
            yield _at_the_call(project, path, made, _at_the_input(made, finding))


def _is_written_down(path: ExecutionPath, made: Graph, finding: Finding) -> bool:
    """Whether the numbers that a piece of advice is about stand in the program: no parameter, and nothing unknown."""
    layer = made.layer(finding.module)
    sites = {finding.site, None if layer is None else layer.site}
    return all(
        type(number) is int
        for step in path.execution.steps
        if step.op in ops.ALL_CONVS
        for built in [step.layer or step.owner]
        if step.site in sites or (built is not None and built.site in sites)
        for name in ("kernel_size", "stride", "padding", "dilation")
        for number in step.attrs.get(name, ())
    )


def _is_supposed(path: ExecutionPath, made: Graph, finding: Finding) -> bool:
    """Whether what raises is no layer, and stands under a condition that may go with the very shapes."""
    nodes = [made.nodes[id] for id in finding.nodes]
    if not nodes or any(node.layer is not None for node in nodes):
        return False
    sites = {node.site for node in nodes}
    return all(step.supposed for step in path.execution.steps if step.error and step.site in sites)


def _in_own_code(path: ExecutionPath, made: Graph, finding: Finding) -> Finding:
    """A latent finding at the line of the class that is followed, where a helper or another class
    built the layer: it is this class that passes it the wrong number.
    """
    layer = made.layer(finding.module)
    if path.entry_point.kind != "class" or layer is None or finding.site is None:
        return finding
    own = f"{path.entry_point.value.qualname}."
    if _family(finding) != "latent" or finding.site.function.startswith(own):
        return finding
    place = next((site for site in layer.chain if site.function.startswith(own)), None)
    if place is None:
        return finding
    fix = finding.fix and replace(finding.fix, applicability="display", edits=())
    built = Related("the layer is built here", finding.site)
    return replace(finding, site=place, fix=fix, related=(built, *finding.related))


def _at_the_input(made: Graph, finding: Finding) -> Finding:
    """The finding at the layer that fails, where the input of the model is what does not fit: its
    line built no layer, so the vote goes by it.
    """
    if not finding.nodes or finding.site is None:
        return finding
    node = made.nodes[finding.nodes[0]]
    layer = made.layer(node.layer)
    place = made.where(node)
    if layer is None or place is None or graph_queries.maker(made, node) is not None:
        return finding
    if finding.site == place or finding.site in layer.chain:
        return finding
    return replace(finding, site=place, module=layer.name)


def _at_the_call(project: Project, path: ExecutionPath, made: Graph, finding: Finding) -> Finding:
    """The finding at the constructor call that breaks what a class asks of its parameters, if that
    is what it is about.
    """
    for id in finding.nodes:
        site = made.nodes[id].site
        if site is None:
            continue
        step = next((s for s in path.execution.steps if s.site == site and s.error), None)
        owner = None if step is None else step.owner
        blamed: Instance | None = None
        while owner is not None and owner is not path.instance and owner.cls.node is not None:
            if not _breaks_contract(project, path, owner, site):
                break
            blamed, owner = owner, path.interpreter.creators.get(owner)
        if blamed is not None and blamed.site is not None:
            asks = Related(f"`{blamed.cls.name}` asks for it here", site)
            return replace(
                finding,
                site=blamed.site,
                message=f"{blamed.cls.name} cannot work with these arguments: {finding.message}",
                related=(asks, *[r for r in finding.related if r.site != blamed.site]),
            )
    return finding


def _breaks_contract(project: Project, path: ExecutionPath, instance: Instance, site: Site) -> bool:
    """Whether the arguments of an object break what its class, followed for itself, asks of its
    parameters at ``site``.
    """
    cls = instance.cls
    assert cls.module is not None
    given: dict[Atom, symbolic.Dim] = {
        Symbol(name, PARAMETERS): symbolic.as_dim(value)
        for name, value in path.interpreter.arguments.get(instance, {}).items()
        if type(value) in (int, symbolic.Dim)
    }
    asked = contracts(project, EntryPoint(cls.module, "class", cls.qualname, cls)).get(site, ())
    return any(_broken(path, pair, given) for pair in asked)


def _broken(path: ExecutionPath, pair: tuple[Num, Num], given: Mapping[Atom, symbolic.Dim]) -> bool:
    symbols = {s for number in pair for s in symbols_of(number)}
    if not symbols or not symbols <= given.keys():
        return False
    left, right = (symbolic.as_dim(number).substitute(given) for number in pair)
    return path.execution.equal(left, right) is False
