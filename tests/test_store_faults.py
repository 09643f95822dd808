"""A disk that fails under a run leaves a prefix of acknowledged cycles, and the run resumed ends as if it had not."""

import errno
import shutil
import sys
from collections import Counter

import pytest

from .storing import coupled
from .storing.contents import every_cycle
from .storing.faults import OPERATIONS, Bench, Fault, compiled
from .storing.zygote import Zygote

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("gcc") is None,
    reason="faults are injected by a preloaded library, which needs Linux and gcc",
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    forcing = coupled.write_forcing(folder / "weather.nc", 6)
    with Zygote(compiled(folder)) as zygote:
        bench = Bench(zygote, folder, forcing, folder / "base", {})
        assert bench.run(folder / "straight", 4).status == 0
        assert bench.run(folder / "base", 2).status == 0
        yield Bench(zygote, folder, forcing, folder / "base", every_cycle(folder / "straight"))


def proved(bench, at, share):
    """Prove a share of the faults after an event; return how they were taken."""
    numbers = {operation: bench.numbers(at, operation) for operation in OPERATIONS}
    found = Counter(f"{fault.operation} {bench.prove(fault)}" for fault in bench.faults(at, numbers, share))
    assert found
    print(at, numbers, dict(found))
    return found


@pytest.mark.parametrize(("part", "number"), [("crest/ledger", 5), ("manifests/", 1), ("snapshots/", 1)])
def test_a_file_that_cannot_be_read_once_stops_the_opening_and_gives_up_no_cycle(bench, part, number):
    """A run that went back instead would go on, by running an acknowledged cycle anew."""
    assert bench.prove(Fault("open+", "read", "error", errno.EIO, number, part)) == "stopped"


@pytest.mark.parametrize(
    ("operation", "number", "cycle"), [("rename", 1, 2), ("fsync", 1, 2), ("fsync", 2, 2), ("open", 1, 2)]
)
def test_a_process_that_goes_on_after_a_fault_of_the_branch_loses_no_cycle(bench, operation, number, cycle):
    """The branch moves last: a fault after it has moved puts it back, so that writer, reader and ledger agree."""
    fault = Fault("commit+", operation, "error", errno.EIO, number, "refs/")
    assert bench.prove_again(fault) == cycle


@pytest.mark.slow
def test_every_fault_of_a_commit_leaves_acknowledged_cycles(bench):
    found = proved(bench, "commit+", 1.0)
    assert found["write absorbed"] and found["read absorbed"] and found["fsync stopped"] and found["rename stopped"]


@pytest.mark.slow
def test_faults_while_a_run_is_opened_leave_acknowledged_cycles(bench):
    proved(bench, "open+", 0.2)
