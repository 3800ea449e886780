"""Score one model of ``bench.suggest``, and write the section of docs/suggest.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from bench.markdown import table

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """Score of one model. ``dense`` are its layers that could be rewritten, ``own`` those of them that are built
    in the file of the target; the second number of each is how many were rewritten.

    ``other`` are layers of subclasses of ``Conv2d``. ``reasons`` are those of layers that were not rewritten: code,
    reason, number of layers. ``silent`` are layers with neither.
    """

    name: str
    dense: tuple[int, int]
    own: tuple[int, int]
    other: int
    suggestions: tuple[tuple[str, int], ...]
    params: tuple[int, int]  # of the model: before, and with the selected suggestions
    macs: tuple[int, int]
    reasons: tuple[tuple[str, str, int], ...]
    silent: tuple[str, ...]
    diffs: int
    confirmed: int
    failures: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        return (
            f"{self.dense[1]} of {self.dense[0]} layers, own file {self.own[1]} of {self.own[0]}, "
            f"{self.confirmed} of {self.diffs} diffs confirmed, {len(self.silent)} without a reason, "
            f"{self.seconds:.0f} s"
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Self:
        """Return the score from JSON, in which tuples are lists."""
        return cls(**{name: _frozen(value) for name, value in row.items()})


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


# --- counting


def diffs_of(suggested: Json) -> list[str]:
    """Return every diff of a report: of each suggestion, and last of all selected suggestions together."""
    rewritten = suggested.get("rewritten")
    return [
        *(suggestion["diff"] for suggestion in suggested["suggestions"]),
        *([rewritten["diff"]] if rewritten and rewritten["diff"] else []),
    ]


def score(name: str, path: str, checked: Json, suggested: Json, runs: Sequence[Json], seconds: float) -> Result:
    """Score a model. ``path`` is the target's file; ``runs`` are the results of ``applied.measured`` for the
    original and for each of ``diffs_of(suggested)``.
    """
    original, *changed = runs
    dense = set(original["dense"])
    (model,) = checked["models"]
    sites = {row["name"]: row["site"] for row in model["layers"]}
    own = {layer for layer in dense if (sites.get(layer) or {}).get("path") == path}
    done = {layer for s in suggested["suggestions"] for layer in s["instances"]} & dense
    refused = [(r["code"], r["reason"], set(r["instances"])) for r in suggested["refusals"]]
    left = dense - done
    reasons: Counter[tuple[str, str]] = Counter()
    for code, reason, layers in refused:
        reasons[code, reason] += len(layers & left)
    silent = left.difference(*(layers for *_, layers in refused))
    wrong = [list(_wrong(*claim)) for claim in _claims(suggested, original, changed)]
    rewritten = suggested.get("rewritten") or {}
    totals = [model["totals"], rewritten.get("after") or model["totals"]]
    return Result(
        name=name,
        dense=(len(dense), len(done)),
        own=(len(own), len(own & done)),
        other=len(original["other"]),
        suggestions=tuple(sorted(Counter(s["code"] for s in suggested["suggestions"]).items())),
        params=(totals[0]["params"], totals[1]["params"]),
        macs=(totals[0]["macs"], totals[1]["macs"]),
        reasons=tuple((*why, count) for why, count in sorted(reasons.items()) if count),
        silent=tuple(sorted(silent)),
        diffs=len(wrong),
        confirmed=sum(not told for told in wrong),
        failures=tuple(failure for told in wrong for failure in told),
        seconds=seconds,
    )


Claim = tuple[str, Json, Json, Json | None, Json]
"""Name, stated savings, verification, and the runs without and with a suggestion."""


def _claims(suggested: Json, original: Json, changed: Sequence[Json]) -> Iterator[Claim]:
    names = [f"{s['code']} {s['path']}:{s['line']}" for s in suggested["suggestions"]]
    every = zip(names, suggested["suggestions"], changed, strict=False)
    for name, suggestion, run in every:
        yield name, suggestion["saved"], original, suggestion["verified"], run
    if len(changed) > len(names):
        before, after = suggested["rewritten"]["before"], suggested["rewritten"]["after"]
        saved = {what: before[what] - after[what] for what in ("params", "macs")}
        yield "all chosen", saved, original, suggested["rewritten"].get("verified"), changed[-1]


_FLAGS = ("ran", "output_shapes_equal", "params_equal", "macs_equal")


def _wrong(name: str, saved: Json, before: Json, verified: Json | None, after: Json) -> Iterator[str]:
    """Yield deviations from the statements of a suggestion."""
    flags = {} if verified is None else {flag: verified[flag] for flag in _FLAGS}
    yield from (f"{name}: it is printed, and {f} is false" for f, is_so in flags.items() if not is_so)
    if "failed" in after:
        yield f"{name}: {after['failed']}"
        return
    for what in ("params", "macs"):
        for who, old, new in zip(("convlint", "PyTorch"), before[what], after[what], strict=True):
            if old - new != saved[what]:
                yield f"{name}: saves {saved[what]} {what}, but for {who} {old} become {new}"


# --- the section


TEXT = """## How many layers are rewritten

{models} models: one model from each model file of torchvision and timm that has such layers, in a
project that contains the whole package; and the models in `tests/runtime/nets`, written in common styles.
A layer counts if it is a plain `Conv2d` with a kernel larger than 1x1, one group and more than
4 input channels, and was called. It is rewritten if at least one printed suggestion includes it. *Own
file* counts the layers that are built in the file of the target itself. Every diff was applied with `git apply`,
and the model was run again from the new source. A diff is confirmed if parameters and multiply-accumulates,
as measured by convlint and as counted by PyTorch, decreased by exactly the amount that the suggestion states.
Written by `python -m bench.suggest --write`.

{totals}

### Why layers were not rewritten

Names and numbers are replaced by placeholders. A layer has one reason per kind of rewrite.

{reasons}

### By model

Parameters and multiply-accumulates are those of the whole model with the selected suggestions, relative to the
original.

{rows}
"""


def section(results: Mapping[str, Result | str]) -> str:
    """Return the section for docs/suggest.md."""
    good = [result for result in results.values() if isinstance(result, Result)]
    packages = list(dict.fromkeys(result.name.split("/")[0] for result in good))
    groups = {p: [r for r in good if r.name.startswith(f"{p}/")] for p in packages}
    counts = (">layers", ">rewritten", ">own file", ">rewritten", ">diffs", ">confirmed")
    rows = [_row(name, result) for name, result in results.items()]
    return TEXT.format(
        models=len(results),
        totals=table(
            ("", ">models", *counts, ">without a reason"),
            [(name, *_totals(some)) for name, some in [*groups.items(), ("**all**", good)]],
        ),
        reasons=_reasons(good),
        rows=table(("model", *counts, "suggestions", ">params", ">MACs", "wrong"), rows),
    )


def _totals(results: Sequence[Result]) -> tuple[object, ...]:
    confirmed, diffs = sum(r.confirmed for r in results), sum(r.diffs for r in results)
    silent = sum(len(r.silent) for r in results)
    return (len(results), *_shares(results), diffs, confirmed, silent)


def _shares(results: Iterable[Result]) -> tuple[object, ...]:
    """Return the numbers of layers and of rewritten layers: all, and those of the own file."""
    cells: list[object] = []
    for pairs in zip(*((r.dense, r.own) for r in results), strict=True):
        whole, part = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
        cells += [whole, f"{part} ({part / whole:.0%})" if whole else ""]
    return tuple(cells) or ("", "", "", "")


def _row(name: str, result: Result | str) -> tuple[object, ...]:
    if isinstance(result, str):
        return (name, *[""] * 9, result.strip().splitlines()[-1])
    codes = ", ".join(f"{code} x{count}" for code, count in result.suggestions)
    parts = (f"{after / max(1, before):.0%}" for before, after in (result.params, result.macs))
    silent = [f"{layer}: no reason" for layer in result.silent]
    wrong = "; ".join([*(told.splitlines()[0] for told in result.failures), *silent])
    return (name, *_shares([result]), result.diffs, result.confirmed, codes, *parts, wrong)


def _reasons(results: Sequence[Result]) -> str:
    """Return the table of reasons by number of layers."""
    layers: Counter[tuple[str, str]] = Counter()
    models: dict[tuple[str, str], set[str]] = {}
    for result in results:
        for code, reason, count in result.reasons:
            key = (code, general(reason))
            layers[key] += count
            models.setdefault(key, set()).add(result.name)
    if not layers:
        return "None does."
    return table(
        ("rewrite", "reason", ">layers", ">models"),
        [
            (code or "any", reason, count, len(models[code, reason]))
            for (code, reason), count in sorted(layers.items(), key=lambda item: -item[1])
        ],
    )


def general(reason: str) -> str:
    """Return a reason without the parts that differ between layers.

    >>> general("`self.a` of net.py:12 has 64 channels")
    '`...` of FILE has N channels'
    """
    text = re.sub(r"`[^`]*`", "`...`", reason)
    text = re.sub(r"[\w./-]+\.py(:\d+)*", "FILE", text)
    return re.sub(r"\b\d[\d,.x]*\b", "N", text)
