"""A latent defect as a finding: the line of its repair, what meets there, and the arguments that were followed."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence

from convlint.analysis import ops
from convlint.ir import Edit, Finding, Fix, Related, Repair, Site, Witness
from convlint.ir.claims import MODULE
from convlint.latent.arguments import ArgumentSpace
from convlint.latent.candidates import ClassRepair
from convlint.latent.claims import argument_text, claim
from convlint.latent.following import Followed, layer_of
from convlint.latent.search import LatentDefect
from convlint.rules.registry import rule, rule_about
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Library
from convlint.static.exploration.execute import descendants


def completed(findings: Sequence[Finding], defects: Sequence[LatentDefect]) -> Sequence[Finding]:
    """Add latent defects to the findings of a file. One that a rule found as well is reported once."""
    places = [_site(defect.repair) for defect in defects]
    found = [(defect, finding(defect)) for defect in defects if not _uses_another(defect, places)]
    claims = {(f.code, f.site): f.claim for f in findings if f.claim is not None}
    new = {(each.code, each.site): each for _, each in found}
    added = [each.with_(claim=each.claim or claims.get(key)) for key, each in new.items()]
    settled = [defect for defect, _ in found]
    return [*(each for each in findings if not any(_explains(defect, each) for defect in settled)), *added]


def _uses_another(defect: LatentDefect, places: Sequence[Site]) -> bool:
    """Return whether all that fails in a class is a layer of another class that is found to be wrong itself."""
    cls, path = defect.entry_point.value.node, defect.entry_point.module.path
    if cls is None:
        return False
    own = _site(defect.repair)
    others = {
        (site.path, site.line)
        for site in places
        if site.path != path or not cls.lineno <= site.line <= (cls.end_lineno or 0)
    } - {(own.path, own.line)}
    layers = [each.failing_layer for each in defect.fails]
    built = [(layer.site.path, layer.site.line) for layer in layers if layer is not None and layer.site is not None]
    return len(built) == len(layers) > 0 and others.issuperset(built)


def _explains(defect: LatentDefect, finding: Finding) -> bool:
    """Return whether the repair of a defect settles what a rule reports: in its class, or at its operation."""
    cls, site = defect.entry_point.value.node, finding.site
    if site is None or cls is None:
        return False
    if finding.graph is not None:
        failing = {finding.graph.nodes[id].site for id in finding.nodes}
        settled = {call or built for each in defect.fails for _, call, built in each.failing}
        return _is_error(defect) and not failing.isdisjoint(settled)
    place = _site(defect.repair)
    if finding.code in ("CVL201", "CVL203") and any(
        (related.site.path, related.site.line) == (place.path, place.line) for related in finding.related
    ):
        return True  # a class that uses this one
    is_inside = site.path == defect.entry_point.module.path and cls.lineno <= site.line <= (cls.end_lineno or 0)
    return is_inside and finding.code in ("CVL201", "CVL203")


_EFFECT = "static analysis then follows the class without an error"


def finding(defect: LatentDefect) -> Finding:
    """Report a latent defect: a warning, or an error if the class fails for its defaults or for all arguments."""
    repair = defect.repair
    edits = (Edit(repair.written.site, repair.text),)
    keeps = bool(defect.works) and defect.keeps_models
    site = _site(repair)
    return (
        rule(_code(defect))
        .finding(
            _message(defect),
            site,
            severity="error" if _is_error(defect) else "warning",
            confidence="medium",
            module=_name(repair.failed, repair.number.layer) or None,
            related=tuple(_related(defect, site)),
            fix=Fix(repair.title, "safe" if keeps else "unsafe", edits),
        )
        .with_(
            claim=claim(defect, edits),
            witness=_witness(defect),
            repairs=(Repair(repair.title, edits, "static", _EFFECT),),
        )
    )


def _site(repair: ClassRepair) -> Site:
    """The call in which the number is an argument, else the number itself."""
    return repair.written.frame if repair.written.role in ("argument", "operand") else repair.written.site


def _code(defect: LatentDefect) -> str:
    number, is_error = defect.repair.number, _is_error(defect)
    if number.label == "groups":
        return "CVL101" if is_error else "CVL202"
    if number.op in ops.PROJECTIONS:
        return ("CVL108" if number.op == "linear" else "CVL102") if is_error else "CVL203"
    about = rule_about(number.op)
    return ("CVL190" if about is None else about.code) if is_error else "CVL201"


def _is_error(defect: LatentDefect) -> bool:
    return defect.fails_by_default or not defect.works


# --- the message


def _message(defect: LatentDefect) -> str:
    cls = defect.entry_point.value.qualname
    repair = defect.repair
    old, new = _whole(repair)
    sides = sorted((_compared(old), _compared(new)), key=str.isdigit)  # names before numbers
    failing = f"fails unless {' == '.join(sides)}" if _is_condition(defect) else _failing(defect)
    verified = ""
    if shown := _listed([arguments_text(defect.space, each) for each in _examples(defect)]):
        verified = f" (verified: works {shown})"
    return f"`{cls}` {failing}: {_mismatch(defect, old, new)}; {_advice(repair, new)}{verified}"


def _failing(defect: LatentDefect) -> str:
    if not defect.works:
        return "fails for all arguments"
    if defect.fails_by_default:
        return "fails for its default arguments"
    return f"fails {arguments_text(defect.space, defect.fails[0])}"


def _is_condition(defect: LatentDefect) -> bool:
    """Return whether the class works exactly where the old and the new expression are equal."""
    return bool(defect.works) and defect.equal_where_it_works and not defect.fails_by_default


def _compared(text: str) -> str:
    """An expression as an operand of ``==``."""
    node = ast.parse(text, mode="eval").body
    return f"({text})" if isinstance(node, ast.BoolOp | ast.IfExp | ast.Compare) else text


def _whole(repair: ClassRepair) -> tuple[str, str]:
    """The arithmetic that an edit is part of, before and after it."""
    node, parents = repair.written.node, repair.written.place.file.parents
    whole: ast.AST = node
    while isinstance(parent := parents.get(whole, (None, ""))[0], ast.BinOp):
        whole = parent
    if whole is node:
        return repair.written.text, repair.text
    edited = copy.deepcopy(whole, {id(node): ast.parse(repair.text, mode="eval").body})
    return ast.unparse(whole), ast.unparse(edited)


def _mismatch(defect: LatentDefect, old: str, new: str) -> str:
    """Say what the layer of the repair expects or outputs, and what it meets."""
    repair = defect.repair
    failed, number = repair.failed, repair.number
    layer = _described(failed, number.layer)
    unit = "features" if number.op == "linear" else "channels"
    values = f" ({number.value})" if number.value is not None and _is_error(defect) else ""
    if repair.written.role == "element" and repair.is_composed:
        return f"{layer} expects the {unit} of `{old}` in this order but receives them in the opposite order"
    if number.label == "groups":
        return f"{layer} has `{old}` groups"
    if number.role == "source" or (number.label == "out" and number.op in ops.PROJECTIONS):
        reader = failed.failing_layer
        where = f"{_described(failed, reader)} expects" if reader is not None else "the next operation expects"
        return f"{layer} outputs `{old}` {unit}{values} but {where} `{new}`{_number(number.wanted, defect)}"
    verb = "expects" if number.op in ops.PROJECTIONS else "is sized by"
    noun = f" {unit}" if verb == "expects" else ""
    source = _source(failed)
    return f"{layer} {verb} `{old}`{noun}{values} but receives `{new}`{_number(number.wanted, defect)}{source}"


def _number(wanted: Sequence[int], defect: LatentDefect) -> str:
    return f" ({wanted[0]})" if len(wanted) == 1 and _is_error(defect) else ""


def _advice(repair: ClassRepair, new: str) -> str:
    if repair.written.role == "argument":
        return f"use `{new}`"
    return repair.title


def _source(failed: Followed) -> str:
    """The layer from which the number comes that the failing layer receives."""
    layer = _source_layer(failed)
    return "" if layer is None else f" from {_described(failed, layer, kind=False)}"


def _source_layer(failed: Followed) -> Instance | None:
    if failed.step is None or not failed.step.inputs:
        return None
    producers = {output.id: step for step in failed.path.execution.steps for output in step.outputs}
    tensor = failed.step.inputs[0].id
    while (step := producers.get(tensor)) is not None:
        layer = layer_of(step)
        if step.op in ops.PROJECTIONS and layer is not None:
            return layer
        if len(step.inputs) != 1:
            return None
        tensor = step.inputs[0].id
    return None


def _described(failed: Followed, layer: Instance, *, kind: bool = True) -> str:
    name = _name(failed, layer)
    words = [layer.cls.qualname.rsplit(".", 1)[-1]] if kind or not name else []
    return " ".join([*words, *([f"`{name}`"] if name else [])])


def _name(failed: Followed, layer: Instance) -> str:
    """The path of attributes from the class to a layer; empty if no attribute holds it."""
    top = failed.path.instance
    if not isinstance(top, Instance):
        return ""
    names = {id(top): ""}
    for module in descendants(top):
        for name, child in module.children():
            names.setdefault(id(child), f"{names[id(module)]}.{name}" if names[id(module)] else name)
    return names.get(id(layer), "")


def arguments_text(space: ArgumentSpace, followed: Followed) -> str:
    """The arguments that were varied: ``for (2, 4)`` for two widths, else with their names."""
    widths = [(p.name, followed.arguments[p.name]) for p in (*space.widths, *space.width_lists)]
    others = [f"{name}={MODULE if type(value) is Library else repr(value)}" for name, value in followed.options]
    if len(widths) == 1:
        texts = [f"{name}={value!r}" for name, value in widths] + others
        return f"for {texts[0]}" if len(texts) == 1 else f"for ({', '.join(texts)})"
    texts = [*(repr(value) for _, value in widths), *others]
    return f"for ({', '.join(texts)})" if texts else "without arguments"


def _listed(texts: Sequence[str]) -> str:
    unique = list(dict.fromkeys(texts))[:3]
    unique = [*unique[:1], *(text.removeprefix("for ") for text in unique[1:])]
    return " and ".join([", ".join(unique[:-1]), unique[-1]] if len(unique) > 1 else unique)


def _examples(defect: LatentDefect) -> list[Followed]:
    """Arguments to name: two that fail without the repair and work with it, and one that works anyway."""
    return [*defect.repaired[:2], *defect.works[:1]] if defect.repaired else []


# --- related lines, witness and claim


def _related(defect: LatentDefect, site: Site) -> Iterator[Related]:
    failed = defect.fails[0]
    source, reader = _source_layer(failed), failed.failing_layer
    if source is not None and source.site not in (None, site):
        yield Related(f"the input comes from {_described(failed, source)}", source.site)
    if reader is not None and reader.site not in (None, site):
        yield Related(f"{_described(failed, reader)} receives it", reader.site)
    if failed.site is not None and (failed.site.path, failed.site.line) != (site.path, site.line):
        yield Related("first fails here", failed.site, is_failure=True)


def _witness(defect: LatentDefect) -> Witness:
    failed = defect.fails[0]
    error = (failed.step.error if failed.step is not None else failed.layer and failed.layer.error) or ""
    control = _call(defect, defect.works[0]) if defect.works else ""
    return Witness(_call(defect, failed), (), error, control, "static")


def _call(defect: LatentDefect, followed: Followed) -> str:
    texts = {name: argument_text(defect.space, name, value) for name, value in followed.arguments.items()}
    given = [f"{name}={text}" for name, text in texts.items() if text is not None]
    return f"{defect.entry_point.value.qualname}({', '.join(given)})"
