"""CF cell methods: what the values of a variable are over time (CF conventions 1.11, section 7.3)."""

from __future__ import annotations

import re

_ENTRY = re.compile(r"\s*((?:\w+\s*:\s*)+)(\w+)((?:\s+(?!\w+\s*:)\w+)*)\s*(?:\([^()]*\))?")
UNKNOWN = "unknown"
_TIME = {"time", "t", "valid_time"}


def time_statistic(cell_methods: str) -> str:
    """Return the statistic over time that an attribute cell_methods ends in, "" where it says none.

    Methods are applied from left to right, so that the maximum of means is a maximum. "unknown" stands for text that
    is no list of cell methods, and for climatologies (over years, over days), of which a time is not one time.

    >>> time_statistic("area: mean time: maximum (interval: 1 hour)"), time_statistic("time: mean time: maximum")
    ('maximum', 'maximum')
    >>> time_statistic("area: mean"), time_statistic("time: mean within years time: mean over years")
    ('', 'unknown')
    """
    found, position, text = "", 0, cell_methods.strip()
    while position < len(text):
        entry = _ENTRY.match(text, position)
        if entry is None:
            return UNKNOWN
        names = {name.strip().lower() for name in entry[1].split(":")}
        words = entry[3].split()
        if names & _TIME:
            if "over" in words:
                return UNKNOWN
            found = entry[2]
        position = entry.end()
    return found
