"""Stage sequence: many steps at once are the steps one by one, and none looks ahead."""

from __future__ import annotations

from dataclasses import replace

import torch

from crest_core.component import Tensors
from crest_core.testing.checks.shapes import problems_of
from crest_core.testing.comparison import alike, identical
from crest_core.testing.records import Check, Finding, failed, not_applicable, passed
from crest_core.testing.subject import Subject, cut, run, run_steps


def step_equals_sequence(subject: Subject) -> Finding:
    """Run the same steps one by one and at once."""
    case = subject.case(12)
    outputs, state = run(subject.instance(), case)
    one_by_one, after = run_steps(subject.instance(), case)
    both = {**_named("output ", one_by_one), **_named("state ", after)}
    expected = {**_named("output ", outputs), **_named("state ", state)}
    return alike(both, expected, subject.dtype, "step by step and as a sequence")


def causal(subject: Subject) -> Finding:
    """Change the inputs of later steps, and look at earlier outputs."""
    case, component = subject.case(12), subject.component
    moving = [spec.name for spec in component.inputs if not spec.static]
    if not moving:
        return not_applicable("no input changes in time")
    other = subject.case(12, stream=1)
    mixed = dict(case.inputs)
    for name in moving:
        mixed[name] = torch.cat([case.inputs[name][:6], other.inputs[name][6:]])
    first, _ = run(subject.instance(), case)
    second, _ = run(subject.instance(), replace(case, inputs=mixed))
    early = [{name: value[:6] for name, value in outputs.items()} for outputs in (first, second)]
    return alike(early[1], early[0], subject.dtype, "outputs before the step at which inputs were changed")


def zero_length(subject: Subject) -> Finding:
    """Run a sequence of no steps."""
    case, component = subject.case(1), subject.instance()
    nothing = cut(component, case.inputs, 0, 0)
    try:
        with torch.no_grad():
            outputs, state = component.sequence(dict(case.state), nothing, ())
    except Exception as error:  # other people's code
        return not_applicable(f"it refuses a run of no steps ({type(error).__name__}), which leaves all as it was")
    problems = problems_of(component.outputs, outputs, case.sizes, "outputs of no step", (0,))
    same = identical(state, case.state, "the state before and after no step")
    return (
        failed("; ".join([*problems, *([same.text] if same.failed else [])])) if problems or same.failed else passed()
    )


def _named(prefix: str, tensors: Tensors) -> Tensors:
    return {prefix + name: value for name, value in tensors.items()}


CHECKS = (
    Check("sequence.step-by-step", step_equals_sequence,
          "the planner chooses between both, and the answer must not depend on it",
          "compute both from one formula; all memory goes through the state"),
    Check("sequence.causal", causal, "a run in windows would give other results than a run in one piece",
          "use no later step: no bidirectional layer, no statistics over time, no padding to both sides"),
    Check("sequence.zero-length", zero_length, "a run of no steps changes nothing",
          "return the state that came, and outputs of length 0, where there are no times"),
)  # fmt: skip
