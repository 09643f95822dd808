"""Whatever a library does, the parent lives, says what happened, and goes on."""

import copy
import gc
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from crest_fortran import FortranLibrary
from crest_fortran.protocol import REPLY

from crest_core import ComponentError

STOP, ERROR_STOP, SEGFAULT, SIGFPE, ABORT, HANG, STATUS = range(1, 8)
DAY = 86400.0


def run(library, order=0, columns=1, water=(10.0, 20.0)):
    """Return (outputs, state) of one day with rain 3 and share 0.5."""
    inputs = np.array([[3.0], [float(order)]]) * np.ones(columns)
    return library.call(np.full((1, columns), 0.5), inputs, np.array(water)[:, None] * np.ones(columns), DAY)


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def gone(pid):
    """Return whether a process ends within 3 s."""
    for _ in range(300):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_state_goes_in_and_comes_out(reservoir, isolation):
    library = FortranLibrary(reservoir, isolation=isolation)
    outputs, state = run(library)
    assert state.tolist() == [[8.0], [10.0]]
    assert outputs.tolist() == [[8.0], [10.0], [15.0]]


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (STOP, ["exit code 0", "STOP"]),
        (ERROR_STOP, ["exit code 1", "the soil is on fire"]),
        (SEGFAULT, ["SIGSEGV", "Segmentation fault"]),
        (SIGFPE, ["SIGFPE"]),
        (ABORT, ["SIGABRT"]),
    ],
)
def test_what_ends_the_child_is_an_error_within_2_s_and_the_next_call_works(reservoir, order, words):
    library = FortranLibrary(reservoir)
    before = run(library)
    lost = library.child.pid
    start = time.monotonic()
    with pytest.raises(ComponentError) as error:
        run(library, order)
    assert time.monotonic() - start < 2.0
    for word in [*words, "reservoir 2.3", str(reservoir), "call 2 with 1 columns", "fresh process"]:
        assert word in str(error.value)
    after = run(library)
    np.testing.assert_array_equal(after[1], before[1])
    assert gone(lost)


def test_a_hang_ends_at_the_deadline(reservoir):
    library = FortranLibrary(reservoir, deadline=0.5)
    run(library)
    lost = library.child.pid
    start = time.monotonic()
    with pytest.raises(ComponentError, match=r"call 2 .* no answer within the deadline of 0.5 s and was killed"):
        run(library, HANG)
    assert 0.5 <= time.monotonic() - start < 1.5
    assert gone(lost)
    run(library)


def test_a_status_is_an_error_with_the_words_of_the_library_and_the_child_stays(reservoir):
    for isolation in ("process", "none"):
        library = FortranLibrary(reservoir, isolation=isolation)
        child = library.child
        with pytest.raises(ComponentError, match=r"returned status 42 \(too much!\), expected 0"):
            run(library, STATUS)
        assert library.child is child
        run(library)


def test_a_child_killed_from_outside_is_replaced(reservoir):
    library = FortranLibrary(reservoir)
    first = run(library)
    os.kill(library.child.pid, signal.SIGKILL)
    with pytest.raises(ComponentError, match="SIGKILL"):
        run(library)
    np.testing.assert_array_equal(run(library)[1], first[1])


def test_a_child_killed_during_a_call_is_reported_at_once(reservoir):
    library = FortranLibrary(reservoir)
    pid = library.child.pid
    killer = threading.Timer(0.3, os.kill, (pid, signal.SIGKILL))
    killer.start()
    start = time.monotonic()
    with pytest.raises(ComponentError, match="SIGKILL"):
        run(library, HANG)
    assert time.monotonic() - start < 2.0
    killer.join()


def test_ctrl_c_during_a_call_leaves_no_answer_for_the_next(reservoir):
    library = FortranLibrary(reservoir)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run(library, HANG)
    finally:
        signal.signal(signal.SIGINT, before)
    assert run(library)[1].tolist() == [[8.0], [10.0]]


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_the_number_of_columns_may_change_from_call_to_call(reservoir, isolation):
    library = FortranLibrary(reservoir, isolation=isolation)
    for columns in (1, 40, 1, 20_000, 3, 40, *range(1, 12)):
        water = np.vstack([np.arange(columns), np.ones(columns)])
        zero = np.zeros((1, columns))
        _, state = library.call(zero, np.zeros((2, columns)), water, DAY)
        np.testing.assert_array_equal(state, water)


def test_no_columns_are_an_error(reservoir):
    with pytest.raises(ComponentError, match="0 columns, expected 1 or more"):
        FortranLibrary(reservoir).arrays(0)


def test_running_without_memory_is_an_error(reservoir):
    library = FortranLibrary(reservoir)
    library.arrays(1)
    library.close()
    with pytest.raises(ComponentError, match="no memory to run on; call arrays"):
        library.run(DAY)


def test_libraries_do_not_share_a_child(reservoir):
    first, second = FortranLibrary(reservoir), FortranLibrary(reservoir)
    assert first.child.pid != second.child.pid
    with pytest.raises(ComponentError):
        run(first, SEGFAULT)
    assert run(second)[1].tolist() == [[8.0], [10.0]]


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_starts_a_child_of_its_own(reservoir, duplicate):
    library = FortranLibrary(reservoir)
    twin = duplicate(library)
    assert twin.child is None and twin.description == library.description
    np.testing.assert_array_equal(run(twin)[0], run(library)[0])
    assert twin.child.pid != library.child.pid


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_starts_a_child_of_its_own_and_leaves_the_other_alone(reservoir):
    library = FortranLibrary(reservoir)
    run(library)
    child = library.child.pid
    forked = os.fork()
    if forked == 0:
        try:
            good = run(library, columns=5)[1].shape == (2, 5) and library.child.pid != child
            library.close()
        except BaseException:
            good = False
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]) == 0
    run(library)
    assert library.child.pid == child


def test_threads_that_share_a_library_get_their_own_results(reservoir):
    library, wrong = FortranLibrary(reservoir), []

    def work(water):
        for _ in range(50):
            if run(library, water=(water, 0.0))[1][0, 0] != 0.5 * water + 3.0:
                wrong.append(water)

    threads = [threading.Thread(target=work, args=(float(w),)) for w in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.fixture
def quick_collection():
    """Collect what is made from here on only; all that a long test run has made takes seconds, each time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def test_nothing_is_left_behind(reservoir, quick_collection):
    run(FortranLibrary(reservoir))  # warm up
    gc.collect()
    files, shared = descriptors(), set(os.listdir("/dev/shm"))
    pids = []
    for order in (0, STOP, SEGFAULT, 0):
        library = FortranLibrary(reservoir)
        pids.append(library.child.pid)
        try:
            run(library, order, columns=5000)
        except ComponentError:
            pids.append(pids[-1])
        del library
        gc.collect()
    assert descriptors() == files
    assert set(os.listdir("/dev/shm")) == shared
    assert all(gone(pid) for pid in pids)


def test_a_child_that_cannot_start_is_a_component_error_and_leaves_no_descriptor(
    reservoir, quick_collection, monkeypatch
):
    gc.collect()
    files = descriptors()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ComponentError, match="child process '/nowhere/python' cannot be started: No such file .*none"):
        FortranLibrary(reservoir)
    assert descriptors() == files


def test_an_answer_to_another_call_is_an_error_and_the_next_call_works(reservoir):
    library = FortranLibrary(reservoir)
    library.arrays(1)
    lost = library.child.pid
    library.child._reply, write = _pipe_in_place_of(library.child._reply)
    library.child._poll.register(library.child._reply, select.POLLIN)
    os.write(write, REPLY.pack(7, 0, 0))
    with pytest.raises(ComponentError, match=r"call 1 with 1 columns answered call 7, expected 1, and was killed"):
        library.run(DAY)
    os.close(write)
    assert gone(lost)
    assert run(library)[1].tolist() == [[8.0], [10.0]]


def _pipe_in_place_of(descriptor):
    """Return the ends of a new pipe, whose answers are read instead of those of the child."""
    os.close(descriptor)
    return os.pipe()


SCRIPT = """
import os, signal, sys
import numpy as np
from crest_fortran import FortranLibrary
library = FortranLibrary(sys.argv[1])
print(library.child.pid, flush=True)
if sys.argv[2] == "hang":
    library.call(np.ones((1, 1)), np.array([[1.0], [6.0]]), np.ones((2, 1)), 86400.0)
if sys.argv[2] == "sleep":
    signal.pause()
"""


@pytest.mark.parametrize("doing", ["nothing", "sleep", "hang"])
def test_the_child_ends_with_its_parent(reservoir, doing):
    command = [sys.executable, "-c", SCRIPT, str(reservoir), doing]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    if doing != "nothing":
        time.sleep(0.2)
        parent.kill()
    _, noise = parent.communicate(timeout=20)
    assert noise == ""
    assert gone(child)


def test_the_child_imports_neither_torch_nor_numpy_nor_xarray(reservoir):
    modules = FortranLibrary(reservoir).child.modules
    assert "cffi" in modules
    assert not {"torch", "numpy", "xarray", "pint", "crest_core"} & modules


def test_a_printing_library_does_not_disturb_the_parent(reservoir, capfd):
    library = FortranLibrary(reservoir)
    with pytest.raises(ComponentError, match="its last output: 'ERROR STOP the soil is on fire'"):
        run(library, ERROR_STOP)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("argument", [{"isolation": "thread"}, {"deadline": 0.0}])
def test_wrong_arguments_are_named(reservoir, argument):
    with pytest.raises(ComponentError, match="'thread' is not one of 'process', 'none'|deadline 0.0: expected seconds"):
        FortranLibrary(reservoir, **argument)
