"""The child process: opens one library and answers calls until its parent goes away.

Run by path, so that nothing but this package's light modules, cffi and the standard library is imported.
Arguments: command pipe, reply pipe, memory file (file descriptors), process id of the parent, library.
"""

import json
import mmap
import os
import resource
import signal
import sys
import threading
import time

_PACKAGES = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, _PACKAGES)
from crest_fortran.native import NativeLibrary, PointerCache  # noqa: E402
from crest_fortran.protocol import BROKEN, COMMAND, REPLY  # noqa: E402

sys.path.remove(_PACKAGES)


def main(arguments: list[str]) -> None:
    """Greet with the description, then serve calls until the command pipe closes."""
    commands, replies, memory, parent = map(int, arguments[:4])
    for descriptor in (commands, replies, memory):
        os.set_inheritable(descriptor, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash is reported at once
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    try:
        library = NativeLibrary(arguments[4])
    except (OSError, ValueError) as error:
        _reply(replies, 0, BROKEN, str(error))
        return
    greeting = {"description": library.description.to_json(), "modules": sorted(sys.modules)}
    _reply(replies, 0, 0, json.dumps(greeting))
    _serve(library, commands, replies, memory)


def _serve(library: NativeLibrary, commands: int, replies: int, memory: int) -> None:
    rows, functions = library.description.rows(), library.functions
    mapped = 0
    while len(frame := os.read(commands, COMMAND.size)) == COMMAND.size:
        number, task, columns, capacity, dt = COMMAND.unpack(frame)
        if capacity != mapped:
            pointers = PointerCache(rows, mmap.mmap(memory, capacity))
            mapped = capacity
        status = functions[task](columns, dt, *pointers.get(columns)[task])
        if status:
            _reply(replies, number, status, library.message(status))
        else:
            os.write(replies, REPLY.pack(number, 0, 0))


def _reply(replies: int, number: int, status: int, text: str) -> None:
    frame = text.encode()
    frame = REPLY.pack(number, status, len(frame)) + frame
    while frame:
        frame = frame[os.write(replies, frame) :]


def _leave_with(parent: int) -> None:
    """End this process when the parent is gone, also while the library hangs."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
