"""What parent and child say to each other: fixed frames over two pipes, numbers in shared memory."""

from __future__ import annotations

import struct

COMMAND = struct.Struct("<qqqd")
"""Number of the call, columns, bytes of the shared memory, length of the step [s]."""
REPLY = struct.Struct("<qqq")
"""Number of the call (0: the greeting), status, bytes of text that follow."""
BROKEN = -1
"""Status of a greeting that says why the library cannot be used."""
