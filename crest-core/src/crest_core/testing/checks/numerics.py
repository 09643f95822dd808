"""Stage numerics: number types, devices, values that are not finite, bounds and long runs."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from crest_core.component import Tensors
from crest_core.testing.comparison import alike, identical
from crest_core.testing.records import Check, Finding, doubts, failed, not_applicable, passed, verdict, warned
from crest_core.testing.subject import MEMBERS, Case, Subject, run
from crest_fields.errors import CrestError
from crest_fields.fields import FieldSpec

LONG = 730  # steps; two years of days
SLACK = 1e-6  # of the width of the bounds, rounding of float32


def dtype_kept(subject: Subject) -> Finding:
    """Run in the component's own number type."""
    component = subject.plain if not subject.plain.opaque else subject.fresh(subject.native)
    case = subject.case(3, component=component, dtype=subject.native)
    outputs, state = run(component, case)
    problems = [
        f"{name} is {value.dtype}, expected {subject.native}"
        for name, value in outputs.items()
        if value.dtype != subject.native
    ]
    problems += [
        f"state {name} was {case.state[name].dtype} and is {value.dtype}"
        for name, value in state.items()
        if name in case.state and value.dtype != case.state[name].dtype
    ]
    return verdict(problems, str(subject.native).removeprefix("torch."))


def runs_in_float64(subject: Subject) -> Finding:
    """Run after .double() on float64 inputs."""
    why = subject.doubles
    return warned(f"{why}; laws were looked at in {subject.native}, with its tolerances") if why else passed()


def device(subject: Subject) -> Finding:
    """Run on an accelerator and compare."""
    if not torch.cuda.is_available():
        return not_applicable("this machine has no accelerator that torch sees")
    component, case = subject.fresh().to("cuda"), subject.case(4)
    there = Case(
        {name: value.to("cuda") for name, value in case.state.items()},
        {name: value.to("cuda") for name, value in case.inputs.items()},
        case.times,
        replace(case.sizes, device="cuda"),
    )
    outputs, _ = run(component, there)
    away = [name for name, value in outputs.items() if value.device.type != "cuda"]
    if away:
        return failed(f"{', '.join(away)} came back from the accelerator's inputs on another device")
    expected, _ = run(subject.instance(), case)
    dtype = torch.float32  # other kernels sum in another order
    return alike({name: value.cpu() for name, value in outputs.items()}, expected, dtype, "on the accelerator and here")


def nan_contained(subject: Subject) -> Finding:
    """Put nan into one cell of each input."""
    return _contained(subject, float("nan"))


def inf_contained(subject: Subject) -> Finding:
    """Put inf into one cell of each input."""
    return _contained(subject, float("inf"))


def nan_shown(subject: Subject) -> Finding:
    """Look whether a nan that came in can be seen in what comes out."""
    case, hidden = subject.case(), []
    for spec in (one for one in subject.component.inputs if not one.gaps):
        spoiled = dict(case.inputs) | {spec.name: torch.full_like(case.inputs[spec.name], float("nan"))}
        try:
            outputs, state = run(subject.instance(), replace(case, inputs=spoiled))
        except CrestError:
            continue
        if all(bool(torch.isfinite(value).all()) for value in (*outputs.values(), *state.values())):
            hidden.append(spec.name)
    return doubts(
        [f"a nan in {', '.join(hidden)} is seen nowhere: is it filled, or is the input not used?"] if hidden else []
    )


def gaps_bridged(subject: Subject) -> Finding:
    """Put nan into inputs that declare gaps, and look at what comes out, and at gradients."""
    declared = [spec.name for spec in subject.component.inputs if spec.gaps]
    if not declared:
        return not_applicable("no input declares gaps")
    component, case = subject.fresh(), subject.case(8)
    gone = {name: torch.full_like(case.inputs[name], float("nan")) for name in declared}
    given = {name: value.clone().requires_grad_() for name, value in (case.inputs | gone).items()}
    outputs, state = component.sequence(dict(case.state), given, case.times)
    results = {**outputs, **state}
    bad = [f"{name} is not finite" for name, value in results.items() if not bool(torch.isfinite(value).all())]
    total = torch.stack([value.sum() for value in results.values()]).sum()
    if total.requires_grad and not bad:
        total.backward()
        slopes = {**given, **dict(component.named_parameters())}
        bad = [f"the gradient of {name} is not finite" for name, value in slopes.items()
               if value.grad is not None and not bool(torch.isfinite(value.grad).all())]  # fmt: skip
    return verdict([f"with nan in {', '.join(declared)}: {one}" for one in bad])


def strided(subject: Subject) -> Finding:
    """Hand in views instead of tensors with memory in order."""
    case = subject.case(lead=(MEMBERS,))
    views = {name: _spread(value) for name, value in case.inputs.items()}
    state = {name: _spread(value) for name, value in case.state.items()}
    got, after = run(subject.instance(), Case(state, views, case.times, case.sizes))
    expected, last = run(subject.instance(), case)
    return alike({**after, **got}, {**last, **expected}, subject.dtype, "on views, and on tensors in order")


def long_run(subject: Subject) -> Finding:
    """Run two years of days."""
    outputs, state = _long(subject)
    bad = [name for name, value in (*outputs.items(), *state.items()) if not bool(torch.isfinite(value).all())]
    if not bad:
        return passed(f"{LONG} steps")
    when = [
        int((~torch.isfinite(value)).flatten(1).any(1).nonzero()[0]) for name, value in outputs.items() if name in bad
    ]
    return failed(f"{', '.join(sorted(set(bad)))} not finite" + (f" from step {min(when)} on" if when else ""))


def bounds_kept(subject: Subject) -> Finding:
    """Hold outputs and states of a long run against the declared bounds."""
    outputs, state = _long(subject)
    component = subject.plain
    problems = [
        *(_outside(spec, outputs[spec.name]) for spec in component.outputs),
        *(_outside(spec, state[spec.name]) for spec in component.states),
    ]
    if not any(spec.bounds for spec in component.outputs + component.states):
        return not_applicable("no output or state declares bounds")
    return verdict([problem for problem in problems if problem])


def extremes(subject: Subject) -> Finding:
    """Run with inputs at the ends of their declared bounds."""
    component = subject.plain
    bounded = [spec for spec in component.inputs if spec.bounds]
    if not bounded:
        return not_applicable("no input declares bounds")
    case, problems = subject.case(), []
    for end, word in ((0, "lowest"), (1, "highest")):
        edge = {s.name: torch.full_like(case.inputs[s.name], s.bounds[end]) for s in bounded if s.bounds}
        finite = {name: value for name, value in edge.items() if bool(torch.isfinite(value).all())}
        try:
            outputs, state = run(subject.instance(), replace(case, inputs={**case.inputs, **finite}))
        except CrestError as error:
            problems.append(f"inputs at their {word}: {error}")
            continue
        bad = [n for n, v in (*outputs.items(), *state.items()) if not bool(torch.isfinite(v).all())]
        if bad:
            problems.append(f"inputs at their {word}: {', '.join(bad)} are not finite")
    return verdict(problems)


def _contained(subject: Subject, value: float) -> Finding:
    why = subject.columns
    spoilt = [spec for spec in subject.component.inputs if "cell" in spec.dims]
    if why or not spoilt:
        return not_applicable(why or "no input has the dim cell")
    case = subject.case(lead=(MEMBERS,))
    clean, last = run(subject.instance(), case)
    expected = _others({**last, **clean}, subject)
    for spec in spoilt:
        bad = case.inputs[spec.name].clone()
        cell = bad.select(spec.dims.index("cell") - len(spec.dims), 0)
        cell[...] = value
        try:
            outputs, state = run(subject.instance(), replace(case, inputs={**case.inputs, spec.name: bad}))
        except CrestError:
            continue  # it refuses the value by a message
        found = identical(
            _others({**state, **outputs}, subject), expected, f"other cells, with {value} in {spec.name} of cell 0"
        )
        if found.failed:
            return found
    return passed("other cells are equal bit for bit")


def _others(results: Tensors, subject: Subject) -> Tensors:
    """Return all cells but the first."""
    specs = {spec.name: spec for spec in (*subject.component.states, *subject.component.outputs)}
    return {
        name: value.narrow(specs[name].dims.index("cell") - len(specs[name].dims), 1, subject.sizes().dims["cell"] - 1)
        for name, value in results.items()
        if "cell" in specs[name].dims
    }


def _long(subject: Subject) -> tuple[Tensors, Tensors]:
    if "long run" not in subject.notes:
        component = subject.fresh(subject.native) if subject.plain.opaque else subject.plain
        case = subject.case(LONG, component=component, dtype=subject.native, cell=2)
        subject.notes["long run"] = run(component, case)
    found: tuple[Tensors, Tensors] = subject.notes["long run"]
    return found


def _outside(spec: FieldSpec, values: Tensor) -> str:
    if spec.bounds is None or not values.numel():
        return ""
    low, high = spec.bounds
    slack = SLACK * (high - low) if abs(high - low) != float("inf") else 0.0
    smallest, largest = float(values.min()), float(values.max())
    if smallest >= low - slack and largest <= high + slack:
        return ""
    return f"{spec.name} reaches {smallest:g} to {largest:g} {spec.units}, bounds {low:g} to {high:g}"


def _spread(value: Tensor) -> Tensor:
    """Return equal values whose memory is not in order."""
    room = torch.empty((*value.shape, 2), dtype=value.dtype)
    room[..., 0] = value
    spread = room[..., 0]
    return spread.movedim(-1, 0).contiguous().movedim(0, -1) if value.dim() > 1 else spread


CHECKS = (
    Check("numerics.dtype", dtype_kept, "a run has one number type, and files the one that was asked for",
          "make new tensors with the dtype of the inputs; cast back what comes from numpy"),
    Check("numerics.float64", runs_in_float64, "laws can be seen in float64 that rounding hides in float32",
          "keep constants as buffers, so that .double() reaches them, and make no float32 tensors on the way"),
    Check("numerics.device", device, "a graph runs where its tensors are",
          "make new tensors on the device of the inputs; keep constants as buffers"),
    Check("numerics.nan-contained", nan_contained, "one bad sensor must not spoil the map",
          "sum, average and branch over no cells; or refuse nan with an error that names the field"),
    Check("numerics.inf-contained", inf_contained, "one bad value must not spoil the map",
          "sum, average and branch over no cells; 0 * inf is nan, in matrix products too"),
    Check("numerics.nan-shown", nan_shown, "nothing that is missing may be filled in silence",
          "let nan pass, or refuse it; fill gaps before the model, where everyone sees it"),
    Check("numerics.gaps", gaps_bridged, "the answer must be there on the days that the observation is not",
          "replace nan by a value and a flag before any arithmetic: torch.where(isnan, 0, x); 0 * nan is nan"),
    Check("numerics.views", strided, "the graph hands over views of longer sequences",
          "take no data_ptr(), and use reshape where view fails"),
    Check("numerics.long-run", long_run, "what drifts or overflows does so after the test",
          "look for growth without limit, division by zero and exp of large numbers"),
    Check("numerics.bounds", bounds_kept, "who reads the field relies on its bounds",
          "correct the equation, or declare bounds that hold"),
    Check("numerics.extremes", extremes, "what is declared possible will come one day",
          "make it hold at the ends of the bounds, or narrow them"),
)  # fmt: skip
