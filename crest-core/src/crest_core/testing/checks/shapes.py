"""Stage shapes: what comes back has the names and shapes that were declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from crest_core.component import Sizes
from crest_core.testing.comparison import form
from crest_core.testing.records import Check, Finding, verdict
from crest_core.testing.subject import LEAD, STEPS, Subject, run, step_inputs
from crest_fields.fields import FieldSpec


def problems_of(
    specs: Sequence[FieldSpec], got: Any, sizes: Sizes, what: str, before: tuple[int, ...] = ()
) -> list[str]:
    """Return what is wrong with the names and shapes (*before, *lead, *dims) of a dict of tensors."""
    if not isinstance(got, Mapping):
        return [f"{what}: expected a dict, got {type(got).__name__}"]
    declared = {spec.name for spec in specs}
    if declared != set(got):
        missing, extra = sorted(declared - set(got)), sorted(set(got) - declared)
        return [f"{what}: missing {missing}, undeclared {extra}"]
    problems = []
    for spec in specs:
        value, expected = got[spec.name], (*before, *sizes.shape(spec))
        if not isinstance(value, Tensor) or tuple(value.shape) != expected:
            problems.append(f"{what}: {spec.name} is {form(value)}, expected the shape {expected}")
    return problems


def initial_state(subject: Subject) -> Finding:
    """Ask for a state with and without leading dims."""
    problems = []
    for lead in ((), LEAD):
        sizes = subject.sizes(lead=lead)
        problems += problems_of(
            subject.component.states, subject.component.initial_state(sizes), sizes, f"initial state, lead dims {lead}"
        )
    return verdict(problems)


def state_kind(subject: Subject) -> Finding:
    """Look at number types and device of the initial state."""
    sizes = subject.sizes()
    state = subject.component.initial_state(sizes)
    problems = []
    for name, value in state.items():
        floating = value.is_floating_point()
        if floating and value.dtype not in (sizes.dtype, torch.float64):
            problems.append(f"{name} is {value.dtype}, expected {sizes.dtype} (or float64, to keep more digits)")
        if value.device.type != torch.device(sizes.device).type:
            problems.append(f"{name} is on {value.device}, expected {sizes.device}")
    return verdict(problems)


def one_step(subject: Subject) -> Finding:
    """Run one `step`."""
    case, component = subject.case(1), subject.instance()
    with torch.no_grad():
        outputs, state = component.step(dict(case.state), step_inputs(component, case.inputs, 0), case.times[0])
    return verdict(
        problems_of(component.outputs, outputs, case.sizes, "outputs of step")
        + problems_of(component.states, state, case.sizes, "state of step")
    )


def whole_sequence(subject: Subject) -> Finding:
    """Run `sequence` over several steps, and over one."""
    problems = []
    for steps in (STEPS, 1):
        case, component = subject.case(steps), subject.instance()
        outputs, state = run(component, case)
        what = f"sequence of {steps} steps"
        problems += problems_of(component.outputs, outputs, case.sizes, f"outputs of a {what}", (steps,))
        problems += problems_of(component.states, state, case.sizes, f"state of a {what}")
    return verdict(problems)


def leading_dims(subject: Subject) -> Finding:
    """Run with members and samples in front, then with one leading dim."""
    problems = []
    for lead in (LEAD, (1,)):
        case, component = subject.case(lead=lead), subject.instance()
        outputs, state = run(component, case)
        problems += problems_of(component.outputs, outputs, case.sizes, f"outputs, lead dims {lead}", (STEPS,))
        problems += problems_of(component.states, state, case.sizes, f"state, lead dims {lead}")
        component = subject.instance()
        with torch.no_grad():
            now, _ = component.step(dict(case.state), step_inputs(component, case.inputs, 0), case.times[0])
        problems += problems_of(component.outputs, now, case.sizes, f"outputs of step, lead dims {lead}")
    return verdict(problems)


CHECKS = (
    Check("shapes.initial-state", initial_state, "the graph fills and restarts states by their declared shape",
          "return every declared state from initial_state(sizes), as sizes.full(spec, value)"),
    Check("shapes.state-kind", state_kind, "a state in other digits or elsewhere changes a run after a restart",
          "make states with sizes.full or sizes.zeros"),
    Check("shapes.step", one_step, "links and files take the declared names and shapes",
          "give just the declared outputs and states, each (*lead, *dims); `step` returns the dicts (outputs, state)"),
    Check("shapes.sequence", whole_sequence, "outside loops the graph runs whole sequences",
          "give outputs (time, *lead, *dims) and the state after the last step"),
    Check("shapes.leading-dims", leading_dims, "members and training samples travel as leading dims",
          "index dims from the end (-1 is the last), and let what is before pass through; in a TensorMap it is `...`"),
)  # fmt: skip
