"""Stage purity: same arguments, same answer; nothing but the state is remembered, nothing is changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import torch

from crest_core.component import Component, Tensors
from crest_core.testing.comparison import identical
from crest_core.testing.records import Check, Finding, failed, not_applicable, passed
from crest_core.testing.subject import Case, Subject, clones, run, step_inputs

LATER = (61, 122, 183, 244, 305, 3653)  # days: all seasons, and another year
OPAQUE = "opaque is True: the model hides its state, which every report of a graph says"


def inputs_untouched(subject: Subject) -> Finding:
    """Compare the inputs before and after `step` and `sequence`."""
    return _untouched(subject, "inputs")


def state_untouched(subject: Subject) -> Finding:
    """Compare the state that was handed in before and after `step` and `sequence`."""
    if not subject.plain.states:
        return not_applicable("it declares no state")
    return _untouched(subject, "state")


def repeatable(subject: Subject) -> Finding:
    """Run the same case twice."""
    if subject.plain.opaque:
        return not_applicable(OPAQUE)
    case = subject.case()
    return identical(
        _all(run(subject.component, case)), _all(run(subject.component, case)), "two runs of the same case"
    )


def deterministic(subject: Subject) -> Finding:
    """Run the same case on two instances that were built alike."""
    case = subject.case()
    twins = subject.fresh(), subject.fresh()
    first, second = (_all(run(twin, case)) for twin in twins)
    return identical(first, second, "the same case on two instances that were built alike, with one seed")


def interleaved(subject: Subject) -> Finding:
    """Step two instances by turns, and hold one against its run alone."""
    case, other = subject.case(6), subject.case(6, stream=1)
    alone = subject.fresh()
    states, mine, left, right = dict(case.state), dict(case.state), subject.fresh(), subject.fresh()
    theirs = dict(other.state)
    with torch.no_grad():
        for index, time in enumerate(case.times):
            expected, states = alone.step(states, step_inputs(alone, case.inputs, index), time)
            expected, kept = clones(expected), clones(states)
            got, mine = left.step(mine, step_inputs(left, case.inputs, index), time)
            got, now = clones(got), clones(mine)
            _, theirs = right.step(theirs, step_inputs(right, other.inputs, index), time)
            found = identical(
                _all((got, now)), _all((expected, kept)), f"step {index} beside another instance, and alone"
            )
            if found.failed:
                return found
    return passed("equal bit for bit")


def any_order(subject: Subject) -> Finding:
    """Run a step, then others, then the first again."""
    if subject.plain.opaque:
        return not_applicable(OPAQUE)
    cases = subject.case(4), subject.case(4, stream=1)

    def at(component: Component, case: Case, index: int) -> Tensors:
        with torch.no_grad():
            inputs = step_inputs(component, case.inputs, index)
            return clones(_all(component.step(dict(case.state), inputs, case.times[index])))

    alone, shared = [subject.fresh() for _ in cases], subject.fresh()
    straight = [[at(one, case, index) for index in range(4)] for one, case in zip(alone, cases, strict=True)]
    for index in (2, 0, 3, 1):
        for case, expected in zip(cases, straight, strict=True):
            found = identical(at(shared, case, index), expected[index], f"step {index} in another order")
            if found.failed:
                return found
    return passed("equal bit for bit")


def weights_unchanged(subject: Subject) -> Finding:
    """Compare parameters and buffers before and after runs."""
    component = subject.fresh()
    before = clones(_weights(component))
    run(component, subject.case())
    run(component, subject.case(stream=1))
    return identical(_weights(component), before, "parameters and buffers after a run, and before")


def time_blind(subject: Subject) -> Finding:
    """Run the same values at other dates."""
    if subject.plain.opaque:
        return not_applicable(OPAQUE)
    case, component = subject.case(), subject.fresh()
    first, second = (_all(run(component, case)) for _ in range(2))
    if identical(first, second, "").failed:
        return not_applicable("two runs of the same case differ already")
    for days in LATER:
        later = replace(case, times=tuple(time + timedelta(days=days) for time in case.times))
        found = identical(_all(run(component, later)), first, f"the same values {days} days later")
        if found.failed:
            return found
    return passed("equal bit for bit")


def mode_kept(subject: Subject) -> Finding:
    """Look whether a run switches training mode or gradients of parameters."""
    component = subject.fresh()
    before = [module.training for module in component.modules()], [p.requires_grad for p in component.parameters()]
    run(component, subject.case(2))
    after = [module.training for module in component.modules()], [p.requires_grad for p in component.parameters()]
    if before[0] != after[0]:
        return failed("a run switches modules between training and evaluation")
    return failed("a run changes requires_grad of parameters") if before != after else passed()


def _weights(component: Component) -> Tensors:
    return {name: value for name, value in component.state_dict().items() if isinstance(value, torch.Tensor)}


def _untouched(subject: Subject, group: str) -> Finding:
    for name in ("step", "sequence"):
        case, component = subject.case(4), subject.instance()
        inputs = step_inputs(component, case.inputs, 0) if name == "step" else dict(case.inputs)
        state = dict(case.state)
        given = state if group == "state" else inputs
        before, keys = clones(given), list(given)
        with torch.no_grad():
            if name == "step":
                component.step(state, inputs, case.times[0])
            else:
                component.sequence(state, inputs, case.times)
        if list(given) != keys:
            return failed(f"{name} changes the dict of {group}: {keys} came, then {list(given)}")
        found = identical(given, before, f"{group} after {name}, and before")
        if found.failed:
            return found
    return passed("equal bit for bit")


def _all(pair: tuple[Tensors, Tensors]) -> Tensors:
    outputs, state = pair
    return {f"output {name}": value for name, value in outputs.items()} | {
        f"state {name}": value for name, value in state.items()
    }


CHECKS = (
    Check("purity.inputs-untouched", inputs_untouched, "other components read the same tensors and dicts",
          "compute new tensors or arrays; no += , no out=, no inputs.pop"),
    Check("purity.state-untouched", state_untouched, "gradients and restarts need the state as it was",
          "return a new dict of new tensors"),
    Check("purity.repeatable", repeatable, "memory outside the state is lost at a restart",
          "keep nothing in self, in modules or in files between calls; put it into the state"),
    Check("purity.deterministic", deterministic, "a run can only be repeated if the same build gives the same answer",
          "draw no random numbers while it runs; draw weights from torch's own stream or a generator"),
    Check("purity.interleaved", interleaved, "a graph may hold two instances, and an assimilation many",
          "keep nothing in class attributes or module variables"),
    Check("purity.any-order", any_order, "training and finite differences call steps in any order",
          "let the answer depend on state and inputs only"),
    Check("purity.weights-unchanged", weights_unchanged, "parameters belong to whoever trains or loads them",
          "keep running statistics in the state; write to no parameter or buffer"),
    Check("purity.time-blind", time_blind, "a date read from `time` is an input that no plan shows",
          "declare day_of_year or what you need as an input field"),
    Check("purity.mode-kept", mode_kept, "whoever trains decides on dropout and on what is trained",
          "call no train(), eval() or requires_grad_() while it runs"),
)  # fmt: skip
