"""The findings of static analysis: which ones of single executions hold for a whole class or function, and their lines.

A class may require something of its parameters. Where a constructor call violates it, the call is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from convlint import symbolic
from convlint.analysis import graph_queries, merges, ops
from convlint.ir import Finding, Related, Site
from convlint.rules.registry import rule, without_explained
from convlint.static.domain.execution import Step
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Num, symbols_of
from convlint.static.exploration.branch_conditions import branch_conditions, has_defaults
from convlint.static.exploration.entry_points import PARAMETERS, EntryPoint, ExecutionPath
from convlint.static.exploration.explore import Exploration, contracts
from convlint.static.lengths import Lengths
from convlint.static.library_models import without_advice_on_models
from convlint.static.prefilter import Evidence, candidates
from convlint.static.program.project import Project
from convlint.support.dataclass import replace
from convlint.symbolic import Atom, Symbol

if TYPE_CHECKING:
    from convlint.ir import Graph
    from convlint.rules.base import Family, Rule

Place = tuple[str, int, int]


def findings(project: Project, explored: Exploration) -> Iterator[Finding]:
    """Yield the findings in the executions of an entry point.

    Advice must apply to every execution that reaches its line: a bias that one of them needs is useful. So must an
    error, unless its path depends on no condition: with `if in_planes == out_planes` the class may never be used so.
    """
    found: dict[tuple[str, Place], list[Finding]] = {}
    certain: set[tuple[str, Place]] = set()
    reached: list[set[Place]] = []
    known: set[Evidence] = set()
    paths: dict[tuple[str, Place], list[ExecutionPath]] = {}
    lengths = Lengths()
    for path in explored.paths:
        if _leaves_no_batch(path):
            continue
        sites = [instance.site for instance in path.interpreter.creators] + [step.site for step in path.execution.steps]
        reached.append({_place(site) for site in sites if site is not None})
        rules = candidates(path, known)
        if explored.entry_point.kind == "factory":  # advice must apply to what all factories build
            rules = [rule for rule in rules if rule.family == "invalid"]
        if not rules:
            continue
        try:
            here = _findings_of(project, path, rules)
        except Exception:  # noqa: BLE001 - a bug in convlint is reported, and the rest is checked
            import traceback

            path.failure = traceback.format_exc()
            continue
        if path.interpreter.raises_type_error:  # no arguments make it work
            here = {key: f for key, f in here.items() if _family(f) != "latent"}
        invalid = {key for key, f in here.items() if _family(f) == "invalid"}
        doubtful = set(invalid)
        if path.interpreter.left_out_lists:
            doubtful |= {key for key, f in here.items() if f.code in _OF_WIDTHS}
        if path.interpreter.left_out_inputs and doubtful:
            left = doubtful & _found_with_all_inputs(project, explored, path)
            path.unreported = frozenset(place[:2] for _, place in invalid - left)
            invalid &= left
            here = {k: f for k, f in here.items() if k in left or k not in doubtful}
        if path.execution.has_settled and any(_family(finding) in ("invalid", "latent") for finding in here.values()):
            here = lengths.independent(path, here, partial(_found_with_count, project, explored, path))
            invalid &= here.keys()
        for key, finding in here.items():
            found.setdefault(key, []).append(finding)
            paths.setdefault(key, []).append(path)
        if not path.interpreter.choices.choices:
            certain |= invalid
    for key, findings in found.items():
        if key[0] in _OF_WIDTHS and (
            len({each.fix and each.fix.title for each in findings}) > 1 or _may_be_of_a_selection(explored.paths)
        ):
            continue  # another argument decides which width is right: it is for the caller to make them agree
        everywhere = sum(key[1] in places for places in reached) <= len(findings) and not explored.has_more_branches
        if key[0] == "CVL190" and explored.entry_point.kind in ("function", "factory"):
            if not findings[0].module:
                continue  # of tensors that a caller passes, whose dimensions are not known
            everywhere = False  # what its callers pass may decide the conditions that lead there
        if _family(findings[0]) == "latent" or key in certain or everywhere:
            yield _on_branch(explored, findings[0], paths[key])


def _leaves_no_batch(path: ExecutionPath) -> bool:
    """Return whether a convolution takes an input for one sample because a condition chose its rank: not as meant."""
    return path.execution.has_chosen_ranks and any(
        step.op in ops.ALL_CONVS and len(step.inputs[0].shape or ()) == ops.spatial_dims(step.op) + 1
        for step in path.execution.steps
    )


def _on_branch(explored: Exploration, finding: Finding, paths: Sequence[ExecutionPath]) -> Finding:
    """Add the condition under which alone an error holds. One that the defaults of a class do not meet is a warning."""
    conditions = branch_conditions(explored.paths, paths) if _family(finding) in ("invalid", "latent") else []
    if not conditions:
        return finding
    is_called = explored.entry_point.kind != "class" or any(map(has_defaults, paths))
    is_certain = is_called or finding.severity != "error"
    return finding.with_(condition=" or ".join(conditions), severity=finding.severity if is_certain else "warning")


def _may_be_of_a_selection(paths: Sequence[ExecutionPath]) -> bool:
    """Return whether an execution did not end in which a string selects other parts of the class."""
    unended = (path.variant for path in paths if not path.complete and path.raised is None)
    return any(type(value) is str for variant in unended for value in variant.values())


def _family(finding: Finding) -> Family:
    return rule(finding.code).family


def _found_with_all_inputs(project: Project, explored: Exploration, path: ExecutionPath) -> set[tuple[str, Place]]:
    """Return the places of findings when every optional input is passed: others may be due to an omitted one."""
    again = explored.with_all_inputs(path)
    path.failure = path.failure or again.failure
    return set(_findings_of(project, again, candidates(again, set())))


def _found_with_count(
    project: Project, explored: Exploration, path: ExecutionPath, count: int
) -> Mapping[tuple[str, Place], Finding] | None:
    """Return the findings with another number of blocks or items; None if the class does not accept it."""
    again = explored.with_count(path, count)
    path.failure = path.failure or again.failure
    return _findings_of(project, again, candidates(again, set())) if again.complete else None


_OF_WIDTHS = frozenset({"CVL201", "CVL202", "CVL203", "CVL204"})


def _place(site: Site | None) -> Place:
    return ("", 0, 0) if site is None else (site.path, site.line, site.column)


# --- findings of one execution, and where they are reported


def _findings_of(project: Project, path: ExecutionPath, rules: Sequence[Rule]) -> dict[tuple[str, Place], Finding]:
    """Return what rules find in one execution, by code and place."""
    if not rules:
        return {}
    # Most executions need no graph.
    from convlint.analysis.diagnosis import ballots, limit, without_consequences
    from convlint.analysis.occurrences import with_occurrences
    from convlint.static.failing_calls import failing_calls
    from convlint.static.graph_builder import graph as build_graph

    graph = without_consequences(build_graph(path, rules, project.texts))
    limit(graph, project.work.ballots)
    found = [f for rule in rules if "source" in rule.decided_by for f in rule.check(graph)]
    project.work.count(ballots(graph))
    placed: list[Finding] = []
    for finding in without_explained(without_advice_on_models(path, found)):
        if _family(finding) != "invalid":
            literal = rule(finding.code).literal_numbers_only
            if not literal or _has_literal_numbers(path, graph, finding):
                placed.append(_at_own_code(path, graph, finding))
        elif not _is_assumed(path, graph, finding):
            path.graph = graph
            at_input = _at_the_input(graph, finding).with_(graph=graph)
            moved = _at_the_call(project, path, graph, at_input)
            placed.append(moved.with_(calls=failing_calls(path, graph, moved)))
    found_at: dict[tuple[str, Place], Finding] = {}
    for finding in placed:
        if finding.site is not None:
            key = finding.code, _place(finding.site)
            is_joined = key in found_at and _family(finding) == "invalid"
            found_at[key] = _joined(found_at[key], finding) if is_joined else finding
    return {key: with_occurrences(finding, graph) for key, finding in found_at.items()}


def _joined(one: Finding, other: Finding) -> Finding:
    """The finding of the two that fails first, for the layers and operations of both: one call may build them all."""
    first, second = sorted((one, other), key=lambda finding: finding.nodes[:1])
    return first.with_(
        instances=tuple(dict.fromkeys([*first.instances, *second.instances])),
        nodes=tuple(dict.fromkeys([*first.nodes, *second.nodes])),
    )


def _has_literal_numbers(path: ExecutionPath, graph: Graph, finding: Finding) -> bool:
    """Return whether the numbers of a finding are written in the program: not parameters, and not unknown."""
    layer = graph.layer(finding.module)
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


def _is_assumed(path: ExecutionPath, graph: Graph, finding: Finding) -> bool:
    """Return whether only calls without a layer fail, under conditions that may depend on these shapes."""
    nodes = [graph.nodes[id] for id in finding.nodes]
    sites = {node.site for node in nodes}
    if not nodes or not all(step.hypothetical for _, step in path.execution.failing_at(sites)):
        return False
    failing = [step for _, step in path.execution.failing_at(sites)]
    return all(node.layer is None or _is_of_no_layer(failing) for node in nodes)


def _is_of_no_layer(failing: Sequence[Step]) -> bool:
    """Return whether the program's own code makes the failing calls, if only inside a module without parts."""
    return bool(failing) and all(step.layer is None for step in failing)


def _at_own_code(path: ExecutionPath, graph: Graph, finding: Finding) -> Finding:
    """Move a latent finding to the line of the interpreted class that passes the wrong number to another."""
    layer = graph.layer(finding.module)
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


def _at_the_input(graph: Graph, finding: Finding) -> Finding:
    """Move a finding to the layer that fails if that layer reads the input of the model, which no line builds."""
    if not finding.nodes or finding.site is None:
        return finding
    node = graph.nodes[finding.nodes[0]]
    layer = graph.layer(node.layer)
    place = graph.where(node)
    if layer is None or place is None or graph_queries.source_layer(graph, node) is not None:
        return finding
    if finding.site == place or finding.site in layer.chain:
        return finding
    return replace(finding, site=place, module=layer.name)


def _at_the_call(project: Project, path: ExecutionPath, graph: Graph, finding: Finding) -> Finding:
    """Move a finding to the constructor call whose arguments violate the contract of a class, if there is one."""
    for id in finding.nodes:
        site = graph.nodes[id].site
        if site is None or merges.block_of(graph, graph.nodes[id]) is not None:
            continue  # the finding is where the block's contract is broken
        step = next((s for _, s in path.execution.failing_at((site,))), None)
        owner = None if step is None else step.owner
        blamed: Instance | None = None
        while owner is not None and owner is not path.instance and owner.cls.node is not None:
            if not _breaks_contract(project, path, owner, site):
                break
            blamed, owner = owner, path.interpreter.creators.get(owner)
        if blamed is not None and blamed.site is not None:
            requires = Related(f"`{blamed.cls.name}` requires it here", site)
            return replace(
                finding,
                site=blamed.site,
                message=f"{blamed.cls.name} does not work with these arguments: {finding.message}",
                related=(requires, *[r for r in finding.related if r.site != blamed.site]),
            )
    return finding


def _breaks_contract(project: Project, path: ExecutionPath, instance: Instance, site: Site) -> bool:
    """Return whether the arguments of an object violate the contract of its class at ``site``."""
    cls = instance.cls
    assert cls.module is not None
    given: dict[Atom, symbolic.Dim] = {
        Symbol(name, PARAMETERS): symbolic.as_dim(value)
        for name, value in path.interpreter.arguments.get(instance, {}).items()
        if type(value) in (int, symbolic.Dim)
    }
    required = contracts(project, EntryPoint(cls.module, "class", cls.qualname, cls)).get(site, ())
    return any(_broken(path, pair, given) for pair in required)


def _broken(path: ExecutionPath, pair: tuple[Num, Num], given: Mapping[Atom, symbolic.Dim]) -> bool:
    symbols = {s for number in pair for s in symbols_of(number)}
    if not symbols or not symbols <= given.keys():
        return False
    left, right = (symbolic.as_dim(number).substitute(given) for number in pair)
    return path.execution.equal(left, right) is False
