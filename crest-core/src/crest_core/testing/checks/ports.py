"""Stage ports: what the component declares, before it is run."""

from __future__ import annotations

from collections.abc import Iterator

from crest_core.component import FIELD_GROUPS
from crest_core.errors import CouplingError
from crest_core.graph import Graph
from crest_core.testing.records import Check, Finding, doubts, failed, not_applicable, passed, verdict
from crest_core.testing.subject import Subject
from crest_core.testing.synthetic import to_units
from crest_fields.clock import parse_timestep
from crest_fields.errors import CrestError, TimeError, UnitError, near
from crest_fields.fields import HORIZONTAL, FieldSpec
from crest_fields.units import check_units

POLICIES = ("autograd", "pullback", "finite_difference", "spsa", "none", "mixed")


def names_unique(subject: Subject) -> Finding:
    """Look for a name given twice in a group."""
    problems = []
    for group in FIELD_GROUPS:
        names = [spec.name for spec in getattr(subject.plain, group)]
        problems += [f"{group}: {name} is declared twice" for name in sorted({n for n in names if names.count(n) > 1})]
    return verdict(problems)


def in_dictionary(subject: Subject) -> Finding:
    """Look up the standard names of inputs and outputs."""
    dictionary = subject.dictionary
    unknown = [
        f"{spec.name}: {spec.standard_name!r} is not in the field dictionary{near(spec.standard_name, dictionary)}"
        for spec in _ports(subject)
        if spec.standard_name and spec.standard_name not in dictionary
    ]
    nameless = [spec.name for spec in _ports(subject) if not spec.standard_name]
    note = f"{', '.join(nameless)} have no standard name: only an explicit Connection joins them" if nameless else ""
    return verdict(unknown) if unknown else doubts([note] if nameless else [])


def units_parse(subject: Subject) -> Finding:
    """Read the units of all fields."""
    problems = []
    for spec in _fields(subject):
        try:
            check_units(spec.units)
        except UnitError as error:
            problems.append(f"{spec.name}: {error}")
    return verdict(problems)


def units_fit(subject: Subject) -> Finding:
    """Convert the dictionary's units to those declared."""
    problems = []
    for spec in _fields(subject):
        entry = subject.dictionary.get(spec.standard_name)
        if entry is None:
            continue
        try:
            to_units(entry, spec.units, 1.0)
        except UnitError as error:
            problems.append(f"{spec.name} is {entry.standard_name}: {error}")
    return verdict(problems)


def dims(subject: Subject) -> Finding:
    """Look at the order of dims, and whether their sizes are known."""
    known = {*HORIZONTAL, *subject.plain.dim_sizes, *subject.dims}
    problems = []
    for spec in _fields(subject):
        lost = [name for name in spec.dims if name not in known]
        if lost:
            problems.append(f"{spec.name}: nothing tells the size of {lost}")
        places = [name in HORIZONTAL for name in spec.dims]
        if places != sorted(places):
            problems.append(f"{spec.name}: dims {spec.dims} have horizontal ones before others")
        if "window" in spec.dims or "time" in spec.dims:
            problems.append(f"{spec.name}: dims {spec.dims} name an axis that the framework adds")
    return verdict(problems)


def bounds_plausible(subject: Subject) -> Finding:
    """Hold the bounds of a field against those of the dictionary."""
    problems = []
    for spec in _fields(subject):
        entry = subject.dictionary.get(spec.standard_name)
        if entry is None or entry.bounds is None or spec.bounds is None:
            continue
        sign = subject.dictionary.resolve(spec.standard_name, spec.positive)[1]
        try:
            low, high = sorted(sign * to_units(entry, spec.units, end) for end in entry.bounds)
        except UnitError:  # ports.units-fit tells of it
            continue
        if spec.bounds[1] <= low or high <= spec.bounds[0]:
            problems.append(f"{spec.name}: bounds {spec.bounds} {spec.units}, possible is {low:.6g} to {high:.6g}")
    return verdict(problems)


def distinct_outputs(subject: Subject) -> Finding:
    """Look for outputs that a graph could not tell apart."""
    seen: dict[object, str] = {}
    problems = []
    for spec in subject.plain.outputs:
        key = (spec.quantity, spec.dims)
        if spec.standard_name and key in seen:
            problems.append(f"{seen[key]} and {spec.name} are both {spec.describe()}")
        seen.setdefault(key, spec.name)
    return verdict(problems)


def timestep(subject: Subject) -> Finding:
    """Read the timestep."""
    try:
        parse_timestep(subject.plain.timestep)
    except TimeError as error:
        return failed(str(error))
    return passed(subject.plain.timestep)


def gradient_policy(subject: Subject) -> Finding:
    """Look whether the gradient policy is one of those that a report knows."""
    policy = subject.plain.gradient_policy
    if policy not in POLICIES:
        return failed(f"gradient_policy is {policy!r}, expected one of {', '.join(POLICIES[:-1])}")
    if subject.plain.opaque and policy != "none":
        return failed(f"opaque is True and gradient_policy {policy!r}; hidden state has no gradient: expected 'none'")
    return passed(policy)


def couples(subject: Subject) -> Finding:
    """Put the component into a graph of its own."""
    component = subject.plain
    if component.grid is not None:
        return not_applicable(f"it names the grid {component.grid!r}, which a graph has to bring")
    taken = {spec.quantity for spec in component.outputs if spec.standard_name}
    if any(spec.quantity in taken for spec in component.inputs):
        return not_applicable("an input is one of its own outputs, which a graph has to join with a lag")
    if timestep(subject).failed or units_parse(subject).failed:
        return not_applicable("its timestep or units cannot be read")
    try:
        Graph({"model": component}, dictionary=subject.dictionary)
    except CrestError as error:
        words = "" if isinstance(error, CouplingError) else f"{type(error).__name__}: "
        return failed(f"{words}{error}")
    return passed()


def _ports(subject: Subject) -> tuple[FieldSpec, ...]:
    return subject.plain.inputs + subject.plain.outputs


def _fields(subject: Subject) -> Iterator[FieldSpec]:
    for group in FIELD_GROUPS:
        yield from getattr(subject.plain, group)


CHECKS = (
    Check("ports.names-unique", names_unique, "fields travel in dicts by name", "rename one of the two"),
    Check("ports.in-dictionary", in_dictionary, "components of others find a field by its standard name",
          "take the name from the field dictionary, or register a dictionary of your own that has it"),
    Check("ports.units-parse", units_parse, "the graph converts between units", "write UDUNITS text: 'kg m-2 s-1'"),
    Check("ports.units-fit", units_fit, "units of another kind mean another quantity than the standard name says",
          "correct the units, or the standard name"),
    Check("ports.dims", dims, "the graph makes tensors of the declared shape",
          "put horizontal dims last, and sizes of own dims into dim_sizes"),
    Check("ports.bounds-plausible", bounds_plausible, "bounds that no value can have mostly mean other units",
          "give the bounds in the units of the field"),
    Check("ports.distinct-outputs", distinct_outputs, "whoever needs the quantity could not tell which one is meant",
          "give one another standard name, statistic or depth"),
    Check("ports.timestep", timestep, "components of one graph step together", "write '1D', '6h' or '30min'"),
    Check("ports.gradient-policy", gradient_policy, "gradient reports say what is exact, estimated or blocked",
          "set gradient_policy to what the component gives"),
    Check("ports.couples", couples, "a component that no graph accepts cannot be run", "do what the message says"),
)  # fmt: skip
