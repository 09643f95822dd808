"""What the tests of the conformance suite share: a good component to break, and how to read a report."""

import pytest

from crest_core.testing import check_component


@pytest.fixture
def broken_rules():
    """Return the function that gives the ids of all checks that fail and that warn, of all stages."""

    def ids(component, **arguments):
        report = check_component(component, seed=11, **arguments)
        return set(report.ids("fail")), set(report.ids("warn"))

    return ids
