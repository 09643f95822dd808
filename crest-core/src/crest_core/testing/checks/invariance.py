"""Stage invariance: members, samples and columns do not see each other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from crest_core.component import Component, Tensors
from crest_core.testing.comparison import alike
from crest_core.testing.records import Check, Finding, not_applicable
from crest_core.testing.subject import LEAD, MEMBERS, Case, Subject, along, run
from crest_fields.fields import FieldSpec


def members_apart(subject: Subject) -> Finding:
    """Hold every member of an ensemble against its run alone."""
    case = subject.case(lead=(MEMBERS,))
    together = run(subject.instance(), case)
    for member in (0, MEMBERS - 1):
        alone = run(subject.instance(), _member(subject, case, slice(member, member + 1)))
        found = alike(
            _results(subject.component, together, slice(member, member + 1)),
            _results(subject.component, alone, slice(None)),
            subject.dtype,
            f"member {member} of {MEMBERS}, and alone",
        )
        if found.outcome != "pass":
            return found
    return found


def batch_order(subject: Subject) -> Finding:
    """Turn the order of the leading dim round."""
    case = subject.case(lead=(MEMBERS,))
    back = torch.arange(MEMBERS - 1, -1, -1)
    turned = run(subject.instance(), _member(subject, case, back))
    straight = run(subject.instance(), case)
    component = subject.component
    got, expected = _results(component, turned, slice(None)), _results(component, straight, back)
    return alike(got, expected, subject.dtype, "members in turned order")


def member_batches(subject: Subject) -> Finding:
    """Fold two leading dims into one."""
    case, component = subject.case(lead=LEAD), subject.component

    def folded(specs: tuple[FieldSpec, ...], tensors: Tensors, timed: bool) -> Tensors:
        found = {}
        for spec in specs:
            first = _lead_axis(spec, timed)
            found[spec.name] = tensors[spec.name].flatten(first, first + 1)
        return found

    flat = Case(
        folded(component.states, case.state, False), folded(component.inputs, case.inputs, True), case.times, case.sizes
    )
    outputs, state = run(subject.instance(), case)
    expected = _named(folded(component.outputs, outputs, True), folded(component.states, state, False))
    return alike(_named(*run(subject.instance(), flat)), expected, subject.dtype, "six members, and two by three")


def cell_order(subject: Subject) -> Finding:
    """Turn the order of the cells round."""
    return _columns(subject, lambda count: torch.arange(count - 1, -1, -1), "cells in turned order")


def cells_apart(subject: Subject) -> Finding:
    """Hold one cell among others against the cell alone."""
    return _columns(subject, lambda count: torch.tensor([count - 2]), "a cell alone, and among others")


def cells_blind(subject: Subject) -> Finding:
    """Change all cells but one, and look at the one."""
    why = subject.columns or _no_cell(subject)
    if why:
        return not_applicable(why)
    case, other, component = subject.case(), subject.case(stream=1), subject.component
    count = case.sizes.dims["cell"]
    mine = torch.arange(count) == 0

    def mixed(specs: tuple[FieldSpec, ...], ours: Tensors, theirs: Tensors) -> Tensors:
        with_cell = {spec.name for spec in specs if "cell" in spec.dims}
        return {
            name: torch.where(mine, value, theirs[name]) if name in with_cell else value for name, value in ours.items()
        }

    changed = Case(case.state, mixed(component.inputs, case.inputs, other.inputs), case.times, case.sizes)
    first = torch.tensor([0])
    got, expected = (
        _named(*(along(specs, part, "cell", first) for specs, part in zip(_groups(component), pair, strict=True)))
        for pair in (run(subject.instance(), changed), run(subject.instance(), case))
    )
    return alike(got, expected, subject.dtype, "cell 0 after the inputs of all other cells changed")


def _columns(subject: Subject, pick: Callable[[int], Tensor], what: str) -> Finding:
    why = subject.columns or _no_cell(subject)
    if why:
        return not_applicable(why)
    case, component = subject.case(), subject.component
    index = pick(case.sizes.dims["cell"])
    picked = Case(
        along(component.states, case.state, "cell", index),
        along(component.inputs, case.inputs, "cell", index),
        case.times,
        case.sizes,
    )
    outputs, state = run(subject.instance(), case)
    expected = _named(along(component.outputs, outputs, "cell", index), along(component.states, state, "cell", index))
    return alike(_named(*run(subject.instance(), picked)), expected, subject.dtype, what)


def _no_cell(subject: Subject) -> str:
    used = {name for spec in subject.plain.inputs + subject.plain.outputs for name in spec.dims}
    return "" if "cell" in used else "no input or output has the dim cell"


def _groups(component: Component) -> tuple[tuple[FieldSpec, ...], tuple[FieldSpec, ...]]:
    return component.outputs, component.states


def _lead_axis(spec: FieldSpec, timed: bool) -> int:
    """Return where the leading dims begin."""
    return (0 if spec.static else 1 + (spec.window > 1)) if timed else 0


def _pick(specs: tuple[FieldSpec, ...], tensors: Tensors, which: slice | Tensor, timed: bool) -> Tensors:
    """Return the tensors with members picked along the first leading dim."""
    return {
        spec.name: tensors[spec.name][(slice(None),) * _lead_axis(spec, timed) + (which,)].contiguous()
        for spec in specs
    }


def _member(subject: Subject, case: Case, which: slice | Tensor) -> Case:
    component = subject.component
    state = _pick(component.states, case.state, which, False)
    return Case(state, _pick(component.inputs, case.inputs, which, True), case.times, case.sizes)


def _results(component: Component, pair: tuple[Tensors, Tensors], which: slice | Tensor) -> Tensors:
    outputs, state = pair
    return _named(_pick(component.outputs, outputs, which, True), _pick(component.states, state, which, False))


def _named(outputs: Tensors, state: Tensors) -> Tensors:
    return {f"output {name}": value for name, value in outputs.items()} | {
        f"state {name}": value for name, value in state.items()
    }


CHECKS = (
    Check("invariance.members", members_apart, "a member must be what the model gives without the others",
          "no statistics over leading dims, no batch normalisation in training mode, no loop that stops early for all"),
    Check("invariance.batch-order", batch_order, "the order of members and samples has no meaning",
          "treat all places of leading dims alike"),
    Check("invariance.batches", member_batches, "members by samples are only another way to count columns",
          "treat any number of leading dims alike; index from the end"),
    Check("invariance.cell-order", cell_order, "cells are numbered by whoever made the grid",
          "treat all cells alike, or tell the check that columns are not independent (a routing model)"),
    Check("invariance.cells", cells_apart, "tiles and finite differences run columns apart or many times over",
          "no statistics over cells, or independent_columns = False in a black box"),
    Check("invariance.columns", cells_blind, "what is claimed to be independent must not react to its neighbours",
          "take out what mixes cells, or tell the check that columns are not independent"),
)  # fmt: skip
