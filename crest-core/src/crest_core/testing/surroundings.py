"""Surroundings: what a process shares between all who run in it, read, compared and put back."""

from __future__ import annotations

import locale
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

RANDOM, THREADS, DEFAULTS, SIGNALS = "random streams", "torch threads", "torch defaults", "signal handlers"
FILTERS, FOLDER, ENVIRONMENT = "warnings filters", "working folder", "environment"
NUMBERS, INTERPRETER = "number handling", "interpreter"
_DESCRIPTORS = Path("/proc/self/fd"), Path("/dev/fd")
_NAMED = (one for one in signal.valid_signals() if isinstance(one, signal.Signals))
_CATCHABLE = {one.name: one.value for one in _NAMED if one.name not in ("SIGKILL", "SIGSTOP")}


def look() -> dict[str, dict[str, Any]]:
    """Return what is shared, by kind and name; values can be compared by ==."""
    return {
        RANDOM: {
            "torch": bytes(torch.get_rng_state().numpy()),
            "numpy": [part.tobytes() if isinstance(part, np.ndarray) else part for part in np.random.get_state()],
            "random": random.getstate(),
        },
        THREADS: {"threads": torch.get_num_threads(), "interop threads": torch.get_num_interop_threads()},
        DEFAULTS: {
            "default dtype": torch.get_default_dtype(),
            "default device": str(torch.get_default_device()),
            "gradients enabled": torch.is_grad_enabled(),
            "deterministic algorithms": torch.are_deterministic_algorithms_enabled(),
        },
        SIGNALS: {name: signal.getsignal(number) for name, number in _CATCHABLE.items()},
        FILTERS: {"filters": list(warnings.filters)},
        FOLDER: {"folder": os.getcwd()},
        ENVIRONMENT: dict(os.environ),
        NUMBERS: {
            "denormals": float(torch.tensor(1e-40) * 0.5) == 0.0,
            "numpy errors": np.geterr(),
            "locale": locale.setlocale(locale.LC_ALL),
        },
        INTERPRETER: {
            "sys.path": list(sys.path),
            "sys.excepthook": sys.excepthook,
            "recursion limit": sys.getrecursionlimit(),
            "umask": _umask(),
        },
    }


def changes(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return what differs, in words, by kind."""
    found = {}
    for kind, old in before.items():
        new = after[kind]
        names = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        if names:
            found[kind] = ", ".join(_change(name, old.get(name), new.get(name)) for name in names)
    return found


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put back what is shared, whatever happens inside; files, descriptors and threads stay."""
    before, state, stdout, stderr = look(), torch.get_rng_state(), sys.stdout, sys.stderr
    numpy_state = np.random.get_state()
    with warnings.catch_warnings():
        try:
            yield
        finally:
            sys.stdout, sys.stderr = stdout, stderr
            torch.set_rng_state(state)
            np.random.set_state(numpy_state)
            random.setstate(before[RANDOM]["random"])
            _put_back(before)


def descriptors() -> int | None:
    """Return how many files, pipes and sockets this process has open; None where that cannot be told."""
    for folder in _DESCRIPTORS:
        if folder.is_dir():
            return len(list(folder.iterdir()))
    return None


def helpers() -> set[str]:
    """Return the threads and child processes of this process."""
    found = {f"thread {thread.name} ({thread.ident})" for thread in threading.enumerate()}
    for file in Path("/proc/self/task").glob("*/children"):
        try:
            found |= {f"process {number}" for number in file.read_text(encoding="ascii").split()}
        except OSError:  # the thread has ended
            continue
    return found


def _put_back(before: Mapping[str, Mapping[str, Any]]) -> None:
    now = changes(before, look())
    if FOLDER in now:
        os.chdir(before[FOLDER]["folder"])
    if ENVIRONMENT in now:
        os.environ.clear()
        os.environ.update(before[ENVIRONMENT])
    if THREADS in now:
        torch.set_num_threads(before[THREADS]["threads"])
    if DEFAULTS in now:
        torch.set_default_dtype(before[DEFAULTS]["default dtype"])
        torch.set_grad_enabled(before[DEFAULTS]["gradients enabled"])
        if str(torch.get_default_device()) != before[DEFAULTS]["default device"]:
            torch.set_default_device(before[DEFAULTS]["default device"])
        if torch.are_deterministic_algorithms_enabled() != before[DEFAULTS]["deterministic algorithms"]:
            torch.use_deterministic_algorithms(before[DEFAULTS]["deterministic algorithms"])
    if SIGNALS in now and threading.current_thread() is threading.main_thread():
        for name, handler in before[SIGNALS].items():
            if handler is not None and signal.getsignal(signal.Signals[name]) != handler:
                signal.signal(signal.Signals[name], handler)
    if NUMBERS in now:
        torch.set_flush_denormal(before[NUMBERS]["denormals"])
        np.seterr(**before[NUMBERS]["numpy errors"])
        locale.setlocale(locale.LC_ALL, before[NUMBERS]["locale"])
    if INTERPRETER in now:
        sys.path[:] = before[INTERPRETER]["sys.path"]
        sys.excepthook = before[INTERPRETER]["sys.excepthook"]
        sys.setrecursionlimit(before[INTERPRETER]["recursion limit"])
        os.umask(before[INTERPRETER]["umask"])


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _change(name: str, old: Any, new: Any) -> str:
    if name in ("torch", "numpy", "random"):
        return f"the stream of {name} advanced"
    texts = [str(value) if len(str(value)) <= 60 else "..." for value in (old, new)]
    return f"{name}: {texts[0]} became {texts[1]}" if texts != ["...", "..."] else f"{name} changed"
