"""What parent and child say to each other: fixed frames over two pipes, numbers in shared memory."""

from __future__ import annotations

import struct

STEP, PULLBACK = 0, 1
"""What a library is asked to do."""
COMMAND = struct.Struct("<qqqqd")
"""Number of the call, what to do (STEP or PULLBACK), columns, bytes of the shared memory, length of the step [s]."""
REPLY = struct.Struct("<qqq")
"""Number of the call (0: the greeting), status, bytes of text that follow."""
BROKEN = -1
"""Status of a greeting that says why the library cannot be used."""
