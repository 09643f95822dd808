"""Blocks hold every window once, along the edges of chunks, and no more of them at a time than fit."""

import gc
import threading
import weakref

import numpy as np
import pytest
import torch
import xarray as xr
from crest_samples import (
    Between,
    BlockLoader,
    Places,
    SampleError,
    Source,
    Window,
    between,
    make_samples,
    plan_blocks,
    plan_samples,
    spatio_temporal_folds,
)
from crest_samples.blocks import COPIES, PER_STEP
from crest_samples.example import example_gauges as gauges
from crest_samples.example import example_weather as weather
from hypothesis import given, settings
from hypothesis import strategies as st


def generator(seed=7):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    """A Zarr cube of 240 days on 16 x 20 cells, in chunks of 60 x 8 x 8."""
    path = tmp_path_factory.mktemp("cube") / "weather.zarr"
    data = weather(steps=240)
    data["rain"][100, 3, 3] = np.nan
    chunks = {"rain": {"chunks": (60, 8, 8)}, "soil_temperature": {"chunks": (60, 2, 8, 8)}}
    data.to_zarr(path, encoding=chunks, consolidated=False)
    return xr.open_zarr(path, chunks=None, consolidated=False)


def of(cube, **options):
    return (
        [Source(cube, ("rain", "elevation"))],
        [Source(cube, ("soil_temperature",))],
        Window(20, spin_up=5),
    ), options


def told(batches):
    return {
        (int(p), int(s)): (
            batch.inputs["rain"][:, i].tolist(),
            batch.targets["soil_temperature"][:, i].tolist(),
            float(batch.inputs["elevation"][i]),
            str(batch.times[0, i]),
        )
        for batch in batches
        for i, (p, s) in enumerate(zip(batch.place, batch.start, strict=True))
    }


PERIOD = ("2001-01-20", "2001-08-01")


@pytest.mark.parametrize(
    ("memory", "options"),
    [
        (1e8, {"every": 11}),
        (2e6, {"every": 13}),
        (1e6, {"every": 20}),
        (1e6, {"every": 9, "period": PERIOD}),
    ],
)
def test_blocks_hold_the_same_windows_as_memory(cube, memory, options):
    arguments, options = of(cube, **options)
    samples = make_samples(*arguments, **options)
    loader = BlockLoader(plan_samples(*arguments, **options), 64, generator(), memory=memory)
    batches = list(loader)
    assert sum(map(len, batches)) == len(samples)
    chosen = torch.randperm(len(samples), generator=generator())[:300]
    expected, got = told([samples[chosen]]), told(batches)
    assert {key: got[key] for key in expected} == expected


@settings(deadline=None, max_examples=30)
@given(st.integers(30, 300), st.floats(2e5, 2e7), st.integers(5, 40), st.integers(3, 70), st.integers(2, 9))
def test_each_place_and_start_is_in_one_block_that_is_small_enough(steps, memory, length, days, cells):
    grid = weather(steps=steps, rows=13, columns=11)
    grid["rain"].encoding["chunks"] = (days, cells, cells)
    plan = plan_samples([Source(grid, ("rain",))], [Source(grid, ("rain",))], Window(min(length, steps)))
    try:
        blocks = plan_blocks(plan, memory)
    except SampleError as error:
        assert "allow more memory, or write smaller chunks" in str(error)
        return
    count = np.zeros((143, steps - plan.window.length + 1), dtype=int)
    for block in blocks:
        count[block.numbers, block.first : block.stop] += 1
        read = block.stop - block.first + plan.window.length - 1
        assert len(block.numbers) * read * (4 * COPIES * plan.width + PER_STEP) <= memory * 1.0001
        assert block.first % days == 0  # begins at an edge of a chunk
        row, column = np.unravel_index(block.numbers, (13, 11))
        for tile in {(int(r) // cells, int(c) // cells) for r, c in zip(row, column, strict=True)}:
            whole = (np.arange(143) // 11 // cells == tile[0]) & (np.arange(143) % 11 // cells == tile[1])
            assert set(np.flatnonzero(whole)) <= set(block.numbers.tolist())  # a chunk is not torn
    assert (count == 1).all()


def test_blocks_go_by_the_largest_source_for_places_between_its_cells(cube):
    data = gauges(count=40, steps=240)
    arguments = [Source(cube, ("rain",), match="nearest", radius=20e3)], [Source(data, ("discharge",))], Window(25)
    plan = plan_samples(*arguments, every=11)
    loader = BlockLoader(plan, 50, generator(), memory=3e5)
    samples = make_samples(*arguments, every=11)
    got = {(int(p), int(s)): float(b.inputs["rain"][3, i] + b.targets["discharge"][0, i]) for b in loader
           for i, (p, s) in enumerate(zip(b.place, b.start, strict=True))}  # fmt: skip
    batch = samples[torch.arange(len(samples))]
    values = (batch.inputs["rain"][3] + batch.targets["discharge"][0]).tolist()
    assert got == dict(zip(zip(batch.place.tolist(), batch.start.tolist(), strict=True), values, strict=True))
    assert len(loader.blocks) > 3


@pytest.mark.parametrize("scored_only", [False, True])
def test_blocks_of_a_part_hold_the_samples_of_the_part(cube, scored_only):
    """Training on two sides of a test, of blocks of neighbours: what is tested is never read into a batch."""
    arguments, _ = of(cube)
    samples, plan = make_samples(*arguments, every=7), plan_samples(*arguments, every=7)
    folds = spatio_temporal_folds(
        samples.places, samples.axis, (2, 3), block=1e5, buffer=2e4, buffer_days=5.0, generator=generator()
    )
    for part in (folds[1].train, folds[1].test):
        expected = samples.part(part, scored_only=scored_only)
        chosen = plan.part(part, scored_only=scored_only)
        loader = BlockLoader(chosen, 64, generator(), memory=1e6)
        batches = list(loader)
        got = {
            (str(batch.places.ids[place]), start)
            for batch in batches
            for place, start in zip(batch.place.tolist(), batch.start.tolist(), strict=True)
        }
        place, start = expected.index.unbind(1)
        assert got == set(zip(expected.places.ids[place.numpy()].tolist(), start.tolist(), strict=True))
        assert sum(map(len, batches)) == len(expected) and len(chosen.places) < len(plan.places)
        assert all(chosen.has_start[block.first : block.stop].any() for block in loader.blocks)
        assert chosen.log[-1].startswith(f"part {part.name}: {len(chosen.places)} of 320 places and ")
    state = BlockLoader(plan.part(folds[1].train), 64, generator(), memory=1e6).state()
    with pytest.raises(SampleError, match="blocks: the state is of .*make it of the same sources"):
        BlockLoader(plan.part(folds[2].train), 64, generator(), memory=1e6).restore(state)


def test_a_part_that_no_window_fits_into_is_refused(cube):
    plan = plan_samples(*of(cube)[0])
    short = between(plan.places, plan.axis, "week", "2001-02-01", "2001-02-08")
    words = r"samples: none is left \(part week: 320 of 320 places and 0 of 216 starts are in it\)"
    with pytest.raises(SampleError, match=words):
        plan.part(short)


def test_a_mask_in_time_works_block_by_block(cube):
    mask = Between(Source(cube, ("rain",)), low=1000.0)
    arguments, _ = of(cube)
    samples = make_samples(*arguments, masks=[mask], every=13)
    loader = BlockLoader(plan_samples(*arguments, masks=[mask], every=13), 64, generator(), memory=1e6)
    assert sum(map(len, loader)) == len(samples) > 0


class Watch:
    """A mask that keeps all, asked once a block; by the places that it was asked about it knows the blocks alive."""

    def __init__(self):
        self.alive, self.most, self.readers, self.asked = weakref.WeakSet(), [], [], threading.Semaphore(0)

    def keep(self, places, axis):
        self.alive.add(places)
        if len(self.alive) > 2:  # a full collection is slow: only where something may be left in a cycle
            gc.collect()
        self.most.append(len(self.alive))
        self.readers.append(threading.current_thread().name)
        self.asked.release()
        return np.ones((len(places), len(axis)), dtype=bool)

    def identity(self):
        return "Watch"


def test_no_more_blocks_are_alive_than_the_one_in_use_and_those_ahead(cube):
    arguments, _ = of(cube)
    watch = Watch()
    loader = BlockLoader(plan_samples(*arguments, masks=[watch], every=40), 16, generator(), memory=1e6)
    assert len(watch.most) == 1 and not watch.alive  # nothing is read before it is needed
    assert len(list(loader)) > 6 and len(watch.most) - 1 == len(loader.blocks) > 6
    assert max(watch.most) <= 2 and all(name.startswith("crest-samples") for name in watch.readers[1:])


def test_the_next_block_is_read_while_one_is_used(cube):
    arguments, _ = of(cube)
    watch = Watch()
    batches = iter(BlockLoader(plan_samples(*arguments, masks=[watch], every=40), 1, generator(), memory=1e6))
    next(batches)  # of many batches of the first block
    assert all(watch.asked.acquire(timeout=30.0) for _ in ("the plan", "this block", "the next one"))
    assert not watch.asked.acquire(timeout=0.3) and len(watch.alive) == 2  # one ahead, no more
    batches.close()


def test_leaving_an_epoch_stops_the_thread(cube):
    arguments, _ = of(cube)
    loader = BlockLoader(plan_samples(*arguments), 16, generator(), memory=1e6)
    batches = iter(loader)
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("crest-samples")]


def test_what_fails_in_the_thread_is_raised_by_the_loader():
    data = gauges()
    source = Source(data, ("discharge",))
    from crest_samples import Log

    plan = plan_samples([source], [source], Window(5), transforms={"discharge": Log(1.0)})
    data["discharge"][:] = -10.0
    with pytest.raises(SampleError, match="does not exist for the value -10"):
        list(BlockLoader(plan, 16, generator()))


def test_blocks_that_cannot_be_are_refused(cube):
    arguments, _ = of(cube)
    with pytest.raises(SampleError, match=r"one tile of .* \(64 places\) and 84 steps need about 0.5 MB"):
        plan_blocks(plan_samples(*arguments), 1e5)
    image = Source(cube, ("rain",), match="containing", patch=(1, 1))
    with pytest.raises(SampleError, match="images are read whole; leave out patch="):
        plan_blocks(plan_samples([image], [image], Window(5)), 1e6)
    with pytest.raises(SampleError, match="batches of 0, 1 blocks ahead, .* bytes; expected 1 or more of each"):
        BlockLoader(plan_samples(*arguments), 0, generator())
    assert len(Places.of(cube)) == 320
