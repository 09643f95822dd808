"""Stage build: what is registered gives components, and these say what they take and give."""

from __future__ import annotations

from crest_core.component import FIELD_GROUPS
from crest_core.testing.records import Check, Finding, failed, passed, verdict
from crest_core.testing.subject import Subject
from crest_fields.fields import FieldSpec


def builds(subject: Subject) -> Finding:
    """Build it twice."""
    first, second = subject.plain, subject.fresh(subject.native)
    if first is second:
        return failed("the factory gives the same object twice; a graph may need two")
    return passed(type(first).__name__)


def declared(subject: Subject) -> Finding:
    """Look at the types of what is declared."""
    problems = []
    for group in FIELD_GROUPS:
        value = getattr(subject.plain, group)
        if not isinstance(value, tuple) or not all(isinstance(spec, FieldSpec) for spec in value):
            problems.append(f"{group} is {value!r}, expected a tuple of FieldSpec")
    if not subject.plain.outputs:
        problems.append("there is no output")
    return verdict(problems)


CHECKS = (
    Check("build.factory", builds, "a graph and a run file build components by calling what is registered",
          "give every argument of __init__ a default, or name it: crest check NAME argument=value"),
    Check("build.declared", declared, "inputs, outputs, states and parameters are read before anything is run",
          "declare tuples of FieldSpec, with at least one output"),
)  # fmt: skip
