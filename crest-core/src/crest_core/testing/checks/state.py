"""Stage state: a restart is the state and nothing else."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from crest_core.component import Component, Tensors
from crest_core.graph import Graph
from crest_core.provenance import graph_hash
from crest_core.store import SafetensorsStore
from crest_core.testing.comparison import alike, identical
from crest_core.testing.records import Check, Finding, failed, not_applicable, passed, verdict
from crest_core.testing.subject import STEPS, Case, Subject, clones, cut, run, step_inputs


def initial_fresh(subject: Subject) -> Finding:
    """Ask for two states, spoil one, and look at the other."""
    sizes, component = subject.sizes(), subject.component
    if not component.states:
        return not_applicable("it declares no state")
    first = component.initial_state(sizes)
    second = component.initial_state(sizes)
    kept = clones(second)
    with torch.no_grad():
        for value in first.values():
            expanded = any(stride == 0 and size > 1 for stride, size in zip(value.stride(), value.shape, strict=True))
            if value.is_floating_point() and not expanded:
                value.detach().add_(1.0)
    found = identical(second, kept, "an initial state after another one was changed")
    return found if found.failed else identical(component.initial_state(sizes), kept, "a later initial state")


def initial_finite(subject: Subject) -> Finding:
    """Look at the values of the initial state."""
    component = subject.component
    state = component.initial_state(subject.sizes())
    windows = {spec.name for spec in component.states if spec.name.endswith(".window")}
    problems = []
    for spec in component.states:
        value = state[spec.name].detach()
        if spec.name in windows and component.history:
            continue  # filled by prime
        if not bool(torch.isfinite(value).all()):
            problems.append(f"{spec.name} starts with values that are not finite")
        elif (
            spec.bounds
            and value.numel()
            and not spec.bounds[0] <= float(value.min()) <= float(value.max()) <= spec.bounds[1]
        ):
            problems.append(
                f"{spec.name} starts at {float(value.min()):g} to {float(value.max()):g}, bounds {spec.bounds}"
            )
    return verdict(problems)


def round_trip(subject: Subject) -> Finding:
    """Write the state after some steps to a file and read it."""
    why = _no_restart(subject)
    if why:
        return not_applicable(why)
    _, state = run(subject.component, subject.case())
    bad = [name for name, value in state.items() if not isinstance(value, torch.Tensor)]
    if bad:
        return failed(f"{', '.join(bad)}: no tensors")
    return identical(_stored(state), dict(state), "the state from the file, and the state")


def restart_bitwise(subject: Subject) -> Finding:
    """Stop a run of steps at random times, go on with a fresh instance from the file."""
    why = _no_restart(subject)
    if why:
        return not_applicable(why)
    case = subject.case(STEPS)
    states, outputs = _stepped(subject.component, case, 0, dict(case.state))
    draw = random.Random(subject.seed)
    for stop in sorted({1, STEPS - 1, *draw.sample(range(2, STEPS - 1), 2)}):
        later, again = _stepped(subject.fresh(), case, stop, _stored(states[stop]))
        found = identical(later[-1], states[-1], f"the last state after a restart at step {stop}, and without")
        if found.failed:
            return found
        for index, (got, expected) in enumerate(zip(again, outputs[stop:], strict=True), stop):
            found = identical(got, expected, f"outputs of step {index} after a restart at step {stop}, and without")
            if found.failed:
                return found
    return passed("equal bit for bit")


def restart_anywhere(subject: Subject) -> Finding:
    """Cut a sequence in two at random times."""
    if subject.plain.opaque:
        return not_applicable("opaque is True: there is no restart")
    case, component = subject.case(STEPS), subject.component
    outputs, state = run(component, case)
    draw = random.Random(subject.seed + 1)
    found = passed()
    for stop in sorted({1, STEPS - 1, draw.randrange(2, STEPS - 1)}):
        first = Case(case.state, cut(component, case.inputs, 0, stop), case.times[:stop], case.sizes)
        head, between = run(component, first)
        rest = Case(dict(between), cut(component, case.inputs, stop, STEPS), case.times[stop:], case.sizes)
        tail, last = run(component, rest)
        joined = {name: torch.cat([head[name], tail[name]]) for name in outputs}
        both = {**joined, **{f"state {name}": value for name, value in last.items()}}
        whole = {**outputs, **{f"state {name}": value for name, value in state.items()}}
        found = alike(both, whole, subject.dtype, f"a sequence cut at step {stop}, and whole")
        if found.outcome != "pass":
            return found
    return found


def identity(subject: Subject) -> Finding:
    """Compare the hash by which a restart knows its graph, of two instances."""
    component = subject.plain
    inside = {spec.quantity for spec in component.outputs if spec.standard_name}
    if component.grid is not None or any(spec.quantity in inside for spec in component.inputs):
        return not_applicable("it makes no graph of its own without a grid or a lag")
    graphs = (Graph({"model": subject.fresh()}, dictionary=subject.dictionary) for _ in range(2))
    first, second = (graph_hash(graph) for graph in graphs)
    if first != second:
        return failed(
            "two instances that were built alike have different hashes: something random, or an address, is printed"
        )
    return passed(first[:12])


def safe_weights(subject: Subject) -> Finding:
    """Write the weights as safetensors, and read them into an instance whose weights were spoilt."""
    component, case = subject.fresh(), subject.case(4)
    weights = dict(component.state_dict())
    odd = [name for name, value in weights.items() if not isinstance(value, torch.Tensor)]
    if odd:
        return failed(f"{', '.join(odd)} in state_dict are no tensors and would need a pickle")
    if not weights:
        return not_applicable("it has no parameters and no buffers")
    expected = run(component, case)[0]
    other = subject.fresh()
    with torch.no_grad():
        for value in other.state_dict().values():
            value.zero_()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        save_file({name: value.contiguous() for name, value in clones(weights).items()}, path)
        other.load_state_dict(load_file(path))
    return identical(run(other, case)[0], expected, "outputs with weights read from safetensors")


def _no_restart(subject: Subject) -> str:
    if subject.plain.opaque:
        return "opaque is True: there is no restart"
    return "" if subject.plain.states else "it declares no state"


def _stored(state: Tensors) -> Tensors:
    with tempfile.TemporaryDirectory() as folder:
        store = SafetensorsStore(Path(folder) / "restart.safetensors")
        store.save(state, {})
        return store.load()[0]


def _stepped(component: Component, case: Case, first: int, state: Tensors) -> tuple[list[Tensors], list[Tensors]]:
    """Return the states before every step and after the last, and the outputs, from step `first` on."""
    states, outputs = [clones(state)], []
    with torch.no_grad():
        for index in range(first, len(case.times)):
            now, state = component.step(state, step_inputs(component, case.inputs, index), case.times[index])
            states.append(clones(state))
            outputs.append(clones(now))
    return states, outputs


CHECKS = (
    Check("state.initial-fresh", initial_fresh, "two runs start from states of their own",
          "make new tensors in initial_state, as sizes.full does"),
    Check("state.initial-finite", initial_finite, "a run cannot start from values that no state can have",
          "start within the bounds of the state"),
    Check("state.round-trip", round_trip, "a restart file holds tensors and nothing else",
          "return tensors of real numbers, on memory of their own"),
    Check("state.restart-bitwise", restart_bitwise, "a run that stops and goes on must be the run that never stopped",
          "put all memory into the declared states"),
    Check("state.restart-anywhere", restart_anywhere, "windows of a run are cut where memory allows",
          "carry everything over the cut in the state; normalise over no sequence"),
    Check("state.identity", identity, "a restart is refused by a graph with another hash",
          "print settings in extra_repr, not objects with an address, and draw no names"),
    Check("state.safe-weights", safe_weights, "weights come from others and must not run code when they are opened",
          "keep weights as parameters and buffers; no get_extra_state"),
)  # fmt: skip
