"""Suite: run the checks on a component, stage by stage; the entry for tests of plugins and for `crest check`."""

from __future__ import annotations

import traceback
import unittest
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import perf_counter
from types import FunctionType
from zlib import crc32

from crest_core.component import Component
from crest_core.plugins import registry, switched_on
from crest_core.testing.balance import STORED, Balance
from crest_core.testing.checks import CHECKS, NEEDS
from crest_core.testing.origin import origin
from crest_core.testing.records import EXPECTED, FAIL, NOT_APPLICABLE, NOTE, PASS, SKIPPED, WARN, Check, Result
from crest_core.testing.report import Report
from crest_core.testing.subject import Inputs, Subject, copies_of
from crest_core.testing.surroundings import undisturbed
from crest_fields.dictionary import Dictionary, default_dictionary
from crest_fields.errors import CrestError, near

Factory = Callable[[], Component]


def check_component(
    component: Component | Factory,
    *,
    expected: Mapping[str, str] | None = None,
    sizes: Mapping[str, int] | None = None,
    inputs: Inputs | None = None,
    conserves: Sequence[str | Balance] = (),
    independent_columns: bool | None = None,
    dictionary: Dictionary | None = None,
    stages: Sequence[str] = (),
    seed: int | None = None,
    name: str = "",
    watch: Callable[[Result], None] | None = None,
) -> Report:
    """Return what the conformance suite says of a component, or of what a factory without arguments builds.

    `expected` maps the id of a check that fails to the reason; one that passes then is a failure. `sizes` of dims
    override 5 cells or 6 by 7; `inputs(spec, shape, generator)` gives values where the plausible ones by standard
    name do not do. `conserves` names quantities ("water", "carbon") or Balances, which may be text, as
    `Balance.parse` reads it; what is not declared is reported only. `independent_columns` None claims it for what
    lies on the dim cell. `stages` run alone, with those that they need. A `seed` repeats a run; None takes one of the
    component's name.

    >>> from crest_core.testing import TorchBucket, check_component
    >>> check_component(TorchBucket, stages=["ports"]).ok
    True
    """
    suite = _Suite(
        component, expected or {}, sizes or {}, inputs, tuple(conserves), independent_columns, dictionary, seed, name
    )
    results = []
    for check in selected(stages):
        results.append(suite.result(check))
        if watch is not None:
            watch(results[-1])
    return Report(suite.title, tuple(results), suite.seed_used)


def component_checks(
    component: Component | Factory,
    *,
    expected: Mapping[str, str] | None = None,
    sizes: Mapping[str, int] | None = None,
    inputs: Inputs | None = None,
    conserves: Sequence[str | Balance] = (),
    independent_columns: bool | None = None,
    dictionary: Dictionary | None = None,
    stages: Sequence[str] = (),
    seed: int | None = None,
    name: str = "",
) -> list[ComponentCheck]:
    """Return the checks as callables for pytest: parametrize over them with ids=str, and call each in the test.

    A check that fails raises AssertionError; one that does not apply, or that stands on a stage that failed, raises
    unittest.SkipTest with the reason. Nothing is built before the first call. Arguments as in
    `check_component`; the `name` under which a function is registered tells which README is its own.
    """
    suite = _Suite(
        component, expected or {}, sizes or {}, inputs, tuple(conserves), independent_columns, dictionary, seed, name
    )
    return [ComponentCheck(check, suite) for check in selected(stages)]


@dataclass(frozen=True)
class ComponentCheck:
    """One check of one component, as a test: call it."""

    check: Check
    suite: _Suite = field(repr=False, compare=False)

    def __call__(self) -> None:
        result = self.suite.result(self.check)
        if result.failed:
            raise AssertionError(str(result))
        if result.outcome in (NOT_APPLICABLE, NOTE, SKIPPED):
            raise unittest.SkipTest(f"{result.check.id}: {result.text}")

    def __str__(self) -> str:
        return self.check.id


def selected(stages: Sequence[str]) -> Iterable[Check]:
    """Return the checks of these stages and of those that they need, all where none is named."""
    unknown = [stage for stage in stages if stage not in NEEDS]
    if unknown:
        raise CrestError(f"stage {unknown[0]!r} is unknown{near(unknown[0], NEEDS)}; stages: {', '.join(NEEDS)}")
    wanted = set(stages or NEEDS)
    for stage in reversed(NEEDS):
        if stage in wanted:
            wanted |= set(NEEDS[stage])
    return [check for check in CHECKS if check.stage in wanted]


@dataclass(frozen=True)
class _Suite:
    """The results of one component; each check runs once, when it is first asked for."""

    component: Component | Factory
    expected: Mapping[str, str]
    sizes: Mapping[str, int]
    inputs: Inputs | None
    conserves: tuple[str | Balance, ...]
    independent_columns: bool | None
    dictionary: Dictionary | None
    seed: int | None
    name: str
    known: dict[str, Result] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ids = [check.id for check in CHECKS]
        for name, reason in self.expected.items():
            if name not in ids:
                raise CrestError(
                    f"expected failure {name!r} is no check{near(name, ids)}; `crest check --list` shows all"
                )
            if not reason.strip():
                raise CrestError(f"expected failure {name!r} has no reason; say why the component may break the rule")
        for item in self.conserves:
            if isinstance(item, str) and item not in STORED:
                Balance.parse(item)

    @property
    def title(self) -> str:
        """The registered name, or what the factory is called."""
        return self.name or _called(self.component)

    @property
    def seed_used(self) -> int:
        """The seed that was given, else one of the name: two components do not share a stream."""
        return crc32(self.title.encode()) if self.seed is None else self.seed

    @cached_property
    def subject(self) -> Subject:
        """What the checks look at."""
        component = self.component
        make = copies_of(component) if isinstance(component, Component) else component
        dictionary = self.dictionary or _dictionary()
        return Subject(
            make,
            self.seed_used,
            dictionary,
            self.sizes,
            self.inputs,
            self.conserves,
            self.independent_columns,
            self.name,
        )

    def result(self, check: Check) -> Result:
        """Return the result of a check, from the first time it was asked for."""
        if check.id not in self.known:
            self.known[check.id] = self._expected(self._looked(check))
        return self.known[check.id]

    def _looked(self, check: Check) -> Result:
        broken = self._blocking(check.stage)
        if broken:
            return Result(check, SKIPPED, f"proves nothing before {', '.join(broken)} is mended")
        began = perf_counter()
        with undisturbed():
            try:
                finding = check.look(self.subject)
                outcome, text = finding.outcome, finding.text
                remedy = check.opaque_fix if outcome in (FAIL, WARN) and self.subject.black_box else ""
            except (Exception, SystemExit) as error:  # a component is other people's code
                if switched_on("CREST_TRACEBACK"):
                    traceback.print_exception(error)
                outcome, (text, remedy) = FAIL, _raised(error, check, self.subject.packages)
        return Result(check, outcome, text, perf_counter() - began, remedy)

    def _expected(self, result: Result) -> Result:
        reason = self.expected.get(result.check.id, "")
        if reason and result.outcome == FAIL:
            return Result(result.check, EXPECTED, f"{reason} ({result.text})", result.seconds, result.remedy)
        if reason and result.outcome == PASS:
            text = f"it is declared as an expected failure ({reason}), but passes; take the declaration out"
            return Result(result.check, FAIL, text, result.seconds)
        return result

    def _blocking(self, stage: str) -> list[str]:
        """Return the checks that failed in the stages that one needs, and in those that these need."""
        found: list[str] = []
        for needed in NEEDS[stage] or (stage,):  # without a component nothing can be looked at
            found += self._blocking(needed) if needed != stage else []
            found += [name for name, result in self.known.items() if result.failed and result.check.stage == needed]
        return list(dict.fromkeys(found))


def _raised(error: BaseException, check: Check, packages: Collection[str]) -> tuple[str, str]:
    """Return an error in words with the line of the author's code, and how to mend it."""
    place, text = origin(error, packages), f"{type(error).__name__}: {error}"
    traced = "CREST_TRACEBACK=1 shows the whole traceback"
    if isinstance(error, CrestError):
        remedy = "do what the message says"
    else:
        remedy = "mend what raises it" if place else check.fix
    return (f"{text} (at {place})" if place else text), f"{remedy}; {traced}"


def _called(component: Component | Factory) -> str:
    if isinstance(component, Component):
        return type(component).__name__
    if isinstance(component, type | FunctionType):
        return component.__name__
    return str(component)


def _dictionary() -> Dictionary:
    """Return the dictionary of the core with those that plugins register."""
    found = registry()
    return default_dictionary([found.load("dictionaries", entry.name) for entry in found.of_kind("dictionaries")])
