"""A damaged file is found before it is used and named, and a run goes on from the last cycle that is whole."""

import random
import re
import shutil
import warnings
from collections import Counter
from itertools import product

import icechunk
import pytest
from crest_store import DamageWarning, open_run
from crest_store.verification import verify

from crest_core import StoreError

from .storing import coupled
from .storing.contents import contents, differing, every_cycle
from .storing.damage import KINDS, drawn, hurt

CLASSES = {
    "chunks": ["chunks/*"],
    "manifests": ["manifests/*"],
    "snapshots": ["snapshots/*"],
    "transactions": ["transactions/*"],
    "refs": ["refs/*/*"],
    "ledger": ["crest/ledger", "crest/ledger.copy"],
}
CHUNK = re.compile(r"\b(history/\w+/\w+|record) chunk \([\d, ]+\) is damaged")
BASE, LAST = 6, 7


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A run of six cycles, the forcing of seven, and the contents of the straight run after each."""
    folder = tmp_path_factory.mktemp("damage")
    forcing = coupled.write_forcing(folder / "weather.nc", LAST, cells=40)
    coupled.run(folder / "base", forcing, cycles=BASE)
    coupled.run(folder / "straight", forcing)
    return folder / "base", forcing, every_cycle(folder / "straight")


def told(action):
    """Return what an action gives, and what it says of damage, as warnings or as an error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result, said = action(), []
        except StoreError as error:
            result, said = None, [f"{type(error).__name__}: {error}"]
    return result, [*said, *(str(one.message) for one in caught if one.category is DamageWarning)]


def trial(made, place, group, kind, generator):
    """Damage one file of a class, read and go on; return how it ended. Nothing may differ in silence."""
    base, forcing, straight = made
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(base, place)
    file = drawn(place, CLASSES[group], generator)
    what = f"{file.relative_to(place)}: {hurt(file, kind, generator)}"
    assert str(file) in " ".join(verify(place)), f"{what}: verify says {verify(place)}"

    def read():
        run = open_run(place)
        return run.cycles()[-1], {name: run.history(name).load() for name in run.streams()}

    found, said = told(read)
    if found is None:
        assert str(file) in said[-1] or CHUNK.search(said[-1]), f"{what}: reading says {said}"
    else:
        assert differing_history(found, straight) == [], what

    restarts, said = told(lambda: coupled.run(place, forcing))
    if restarts is None:
        assert str(file) in " ".join(said), f"{what}: going on says {said}"
        return "refused"
    return ended(place, file, straight, what, said)


def ended(place, file, straight, what, said):
    """Return how a run that went on is: whole ("unharmed", or "fell back" with a warning), or readable in part."""
    try:
        wrong = differing(contents(place), straight[LAST])
    except (ValueError, icechunk.IcechunkError) as error:  # read by Icechunk and zarr alone
        assert str(file) in " ".join(verify(place)), f"{what}: reading says {error}, verify {verify(place)}"
        return "history lost, found when read"
    assert wrong == [], f"{what}: differs in {wrong}; said {said}"
    if said:
        assert str(file) in " ".join(said), f"{what}: said {said}"
    return "mended" if said else "unharmed"


def differing_history(found, straight):
    """Return the streams of a reading that are not those of the straight run at its cycle."""
    cycle, streams = found
    wrong = []
    for name, stream in streams.items():
        for field in stream.data_vars:
            held = straight[cycle][f"history/{name}/{field} ="]
            if stream[field].dtype.kind == "f" and not held.endswith(stream[field].values.tobytes()):
                wrong.append(f"{name}.{field}")
    return wrong


def trials(made, folder, seed, times):
    """Run so many trials of each class and kind; return how they ended."""
    generator, found, failures = random.Random(seed), Counter(), []
    for group, kind in product(CLASSES, KINDS * times):
        try:
            found[f"{group} {trial(made, folder / 'run', group, kind, generator)}"] += 1
        except AssertionError as error:
            failures.append(f"{group} {kind}: {error}")
    print(dict(sorted(found.items())))
    assert not failures, "\n".join(failures)
    return found


@pytest.mark.slow
def test_damage_in_two_hundred_trials_is_found(made, tmp_path):
    assert trials(made, tmp_path, seed=4, times=12).total() == 216
