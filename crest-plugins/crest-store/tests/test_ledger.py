"""The ledger: what it says of branches, and what it writes after a kill."""

import json
import time
from dataclasses import asdict
from hashlib import sha256

from crest_store.ledger import COPIES, Ledger, Line


def ledger_of(folder, lines):
    """Return a ledger that has been read from these lines."""
    texts = [json.dumps({"number": number, **asdict(line)}).encode() for number, line in enumerate(lines)]
    (folder / "crest").mkdir()
    for name in COPIES:
        (folder / name).write_bytes(b"".join(b"%b %b\n" % (one, sha256(one).hexdigest().encode()) for one in texts))
    return Ledger(folder)


def test_chains_follow_commits_resets_branches_and_expiries(tmp_path):
    ledger = ledger_of(
        tmp_path,
        [
            Line("commit", "main", "A", ""),
            Line("commit", "main", "B", "A"),
            Line("commit", "main", "C", "B"),
            Line("commit", "dry", "D", "B"),
            Line("reset", "main", "B"),
            Line("commit", "wet", "E", "B"),
            Line("reset", "wet"),
            Line("collecting"),
            Line("expired", gone=("A",)),
        ],
    )
    ends = {branch: [line.snapshot for line in chain] for branch, chain in ledger.chains.items()}
    assert ends == {"main": ["B"], "dry": ["D"]}
    ledger.append(Line("commit", "main", "F", "B"))
    assert [line.snapshot for line in ledger.chains["main"]] == ["B", "F"]


def test_chains_of_many_cycles_take_no_time(tmp_path):
    lines = [Line("commit", "main", str(number), str(number - 1), number) for number in range(20_000)]
    ledger = ledger_of(tmp_path, lines)
    began = time.monotonic()
    assert [line.cycle for line in ledger.chains["main"]] == list(range(20_000))
    assert time.monotonic() - began < 1
