"""The bar while files are read: on a terminal only, and never between the items and the reader."""

import io
import sys

from crest_data.readers.progress import shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_items_pass_unchanged_and_a_bar_is_drawn_on_a_terminal_only(monkeypatch):
    for stream, drawn in ((Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        assert list(shown(list(range(7)), "basins")) == list(range(7))
        assert bool(stream.getvalue()) == drawn


def test_few_items_have_no_bar(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert list(shown(["a"], "basins")) == ["a"] and not sys.stderr.getvalue()
