"""Orders draw what they promise from the generator, and loaders go on in the middle of an epoch, bit for bit."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from crest_samples import (
    Between,
    BlockLoader,
    InOrder,
    Loader,
    SampleError,
    Shuffled,
    Source,
    Stratified,
    Window,
    make_samples,
    range_strata,
)
from crest_samples.example import example_gauges as gauges
from crest_samples.planning import plan_samples
from hypothesis import given, settings
from hypothesis import strategies as st

from crest_core import SafetensorsStore


def generator(seed=7):
    return torch.Generator().manual_seed(seed)


def sources():
    data = gauges()
    return [Source(data, ("slope",))], [Source(data, ("discharge",))], Window(10)


def in_memory(draws):
    samples = make_samples(*sources())
    return Loader(samples, Stratified(samples.index[:, 0], 500), 32, draws)


def in_blocks(draws):
    ours, theirs, window = sources()
    theirs[0].data["discharge"].encoding["chunks"] = (20, 2)
    loader = BlockLoader(plan_samples(ours, theirs, window), 32, draws, memory=2 * 5000)
    assert len(loader.blocks) > 10
    return loader


def pairs(batches):
    return [(p, s) for batch in batches for p, s in zip(batch.place.tolist(), batch.start.tolist(), strict=True)]


@pytest.mark.parametrize("make", [in_memory, in_blocks])
@pytest.mark.parametrize("stop", [0, 1, 7, 15])
def test_a_loader_goes_on_in_the_middle_of_an_epoch(make, stop, tmp_path):
    """Also where others draw from the same generator in between, as dropout does."""
    draws = generator()
    loader = make(draws)
    list(loader)
    taken = []
    if stop:
        for batch in loader:
            taken.append(batch)
            torch.rand(3, generator=draws)
            if len(taken) == stop:
                break
    store = SafetensorsStore(tmp_path / "loader.safetensors")
    store.save(loader.state(), {"time": "2001-01-01"})
    rest = [*pairs(loader), *pairs(loader)]
    other_draws = generator(99)
    other = make(other_draws)
    other.restore(store.load()[0])
    assert [*pairs(other), *pairs(other)] == rest and other.epoch == loader.epoch == 3
    assert torch.equal(draws.get_state(), other_draws.get_state())
    assert len(set(pairs(taken))) == len(pairs(taken))


def test_a_state_of_other_samples_is_refused():
    states = in_memory(generator()).state(), in_blocks(generator()).state()
    states[0]["samples"] += 1
    states[1]["blocks"] += 1
    with pytest.raises(SampleError, match="the state is of 547 samples, this loader has 546"):
        in_memory(generator()).restore(states[0])
    with pytest.raises(SampleError, match="blocks, this loader has .*with the same memory= and ahead="):
        in_blocks(generator()).restore(states[1])


def changed(**changes):
    """A loader in memory that differs in one thing."""
    data = gauges()
    if "places" in changes:
        data = data.isel(cell=[1, 0, 2, 3, 4, 5])
    if "times" in changes:
        data = data.assign_coords(time=data["time"] + np.timedelta64(1, "D"))
    if "coordinates" in changes:
        data = data.assign_coords(lat=data["lat"] + 0.1)
    if "starts" in changes:
        data["discharge"][:10, 0] = np.nan  # all targets of one window
    if "variables" in changes:
        data = data.rename(slope="land_cover", land_cover="slope")
    inputs = "land_cover" if "variables" in changes else "slope"
    window = Window(10, targets=changes.get("targets", "all"))
    samples = make_samples([Source(data, (inputs,))], [Source(data, ("discharge",))], window)
    strata = samples.index[:, changes.get("column", 0)]
    order = Stratified(strata, changes.get("count", 500), changes.get("weights"))
    return Loader(samples, order, changes.get("batch", 32), generator(1), drop_last=changes.get("drop_last", False))


OTHER_PLAN = "the state is of other places, times, starts or variables; make it of the same sources, window, masks and"
OTHER_ORDER = "the state is of other draws; give the same order, of the same strata and weights, and drop_last="


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"starts": True}, "the state is of 546 samples, this loader has 545; make it of the same sources, window, ma"),
        ({"batch": 64}, "the state is of 32 samples a batch, this loader has 64; give the same batch="),
        *[({one: True}, OTHER_PLAN) for one in ("places", "times", "coordinates", "variables")],
        ({"targets": "last"}, OTHER_PLAN),
        ({"column": 1}, OTHER_ORDER),
        ({"count": 501}, OTHER_ORDER),
        ({"weights": (1.0, 1.0, 1.0, 1.0, 1.0, 2.0)}, OTHER_ORDER),
        ({"drop_last": True}, OTHER_ORDER),
    ],
)
def test_a_state_of_another_plan_order_or_batch_size_is_refused(changes, words):
    loader = in_memory(generator())
    next(iter(loader))
    changed().restore(loader.state())  # of the same, whatever the seed of its generator was
    with pytest.raises(SampleError, match=f"loader: {words}"):
        changed(**changes).restore(loader.state())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data.assign_coords(time=data["time"] + np.timedelta64(1, "D")), "other places, times, variables"),
        (lambda data: data.isel(cell=[1, 0, 2, 3, 4, 5]), "other places, times, variables or masks"),
    ],
)
def test_blocks_of_another_plan_or_batch_size_are_refused(change, words):
    state = in_blocks(generator()).state()
    in_blocks(generator(1)).restore(state)
    ours, theirs, window = sources()
    theirs[0].data["discharge"].encoding["chunks"] = (20, 2)
    plan = plan_samples(ours, theirs, window)
    with pytest.raises(
        SampleError, match="blocks: the state is of 32 samples a batch, this loader has 16; give the sa"
    ):
        BlockLoader(plan, 16, generator(), memory=2 * 5000).restore(state)
    with pytest.raises(
        SampleError, match="blocks: the state is of other places, times, variables or masks; make it of"
    ):
        masked = plan_samples(ours, theirs, window, masks=[Between(theirs[0], low=5.0)])
        BlockLoader(masked, 32, generator(), memory=2 * 5000).restore(state)
    other = change(gauges())
    other["discharge"].encoding["chunks"] = (20, 2)
    plan = plan_samples([Source(other, ("slope",))], [Source(other, ("discharge",))], window)
    with pytest.raises(SampleError, match=f"blocks: the state is of {words}"):
        BlockLoader(plan, 32, generator(), memory=2 * 5000).restore(state)


@pytest.mark.parametrize("make", [in_memory, in_blocks])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: {}, r"the state lacks \['batch', .*'plan'.*\]; give what state\(\) of such a loader returned"),
        (lambda state: state | {"epoch": 3}, r"epoch of the state is a int, expected torch.int64 \(\)"),
        (lambda state: state | {"cursor": torch.tensor([1])}, r"is torch.int64 \(1,\), expected torch.int64 \(\)"),
        (
            lambda state: state | {"cursor": torch.tensor(-1)},
            "the state has cursor -1, expected 0 or more; it is damag",
        ),
        (
            lambda state: state | {"cursor": torch.tensor(10**6)},
            "cursor 1000000, an epoch has 16 b|and batch 1000000, b",
        ),
        (lambda state: state | {"before": state["before"][:9]}, r"before of the state is torch.uint8 \(9,\), expected"),
        (lambda state: state | {"before": state["before"] * 0}, "the state's generator is damaged: "),
        (lambda state: state | {"generator": state["generator"] * 0 + 255}, "the state's generator is damaged: "),
    ],
)
def test_a_bad_state_is_refused_and_changes_nothing(make, change, words):
    draws = generator()
    loader, twin = make(draws), make(generator())
    state = change(make(generator(5)).state())
    with pytest.raises(SampleError, match=words):
        loader.restore(state)
    assert pairs(loader) == pairs(twin) and torch.equal(draws.get_state(), twin.generator.get_state())


def test_every_sample_comes_once_an_epoch_in_another_order_each_time():
    samples = make_samples(*sources())
    loader = Loader(samples, Shuffled(len(samples)), 100, generator())
    first, second = pairs(loader), pairs(loader)
    assert sorted(first) == sorted(second) == sorted(map(tuple, samples.index.tolist())) and first != second
    assert pairs(Loader(samples, Shuffled(len(samples)), 100, generator())) == first
    in_order = Loader(samples, InOrder(len(samples)), 100, generator(), drop_last=True)
    assert [len(batch) for batch in in_order] == [100] * 5
    assert pairs(in_order) == list(map(tuple, samples.index.tolist()))[:500]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-1, 4), min_size=1, max_size=60), st.integers(1, 200), st.integers(0, 99))
def test_strata_give_as_many_samples_each_and_none_twice_before_all(strata, count, seed):
    labels = torch.tensor(strata)
    if not (labels >= 0).any():
        return
    drawn = Stratified(labels, count).draw(generator(seed))
    assert len(drawn) == count and bool((labels[drawn] >= 0).all())
    held, sizes = torch.unique(labels[labels >= 0], return_counts=True)
    quotas = torch.tensor([int((labels[drawn] == one).sum()) for one in held])
    assert int(quotas.max() - quotas.min()) <= 1
    times = torch.bincount(drawn, minlength=len(labels))
    for one, size, quota in zip(held, sizes, quotas, strict=True):
        assert int(times[labels == one].max()) <= -(-int(quota) // int(size))
        assert int(times[labels == one].min()) >= int(quota) // int(size)


def test_weights_share_out_an_epoch():
    labels = torch.arange(300) % 3
    drawn = Stratified(labels, 60, weights=(0.0, 1.0, 2.0)).draw(generator())
    assert torch.bincount(labels[drawn], minlength=3).tolist() == [0, 20, 40]


def test_ranges_of_the_target_are_drawn_alike():
    data = gauges(steps=400)
    data["discharge"][:] = np.random.default_rng(1).lognormal(0.0, 1.0, (400, 6))
    samples = make_samples([Source(data, ("slope",))], [Source(data, ("discharge",))], Window(5, targets="last"))
    values = samples.target_mean("discharge")
    assert torch.allclose(values.float(), samples[torch.arange(len(samples))].targets["discharge"][0])
    strata = range_strata(values, 8)
    drawn = strata[Stratified(strata, 800).draw(generator())]
    counts, drawn_counts = torch.bincount(strata), torch.bincount(drawn)
    held = counts > 0
    each = 800 // int(held.sum())
    assert counts[0] > 50 * counts[held][-1] and set(drawn_counts[held].tolist()) <= {each, each + 1}
    with pytest.raises(SampleError, match=r"no target 'snow' with one value per place and time; \['discharge'\]"):
        samples.target_mean("snow")


def test_orders_and_loaders_without_sense_are_refused():
    with pytest.raises(SampleError, match="expected 1 or more samples, and a weight of 0 or more for each stratum"):
        Stratified(torch.tensor([0, 1]), 5, weights=(1.0,))
    with pytest.raises(SampleError, match="0 bins of 1 values; expected 1 or more of both"):
        range_strata(torch.tensor([1.0]), 0)
    samples = make_samples(*sources())
    with pytest.raises(SampleError, match="loader: batches of 0, expected 1 or more samples"):
        Loader(samples, Shuffled(len(samples)), 0, generator())
    for order in (Shuffled(545), Shuffled(547), InOrder(545), Stratified(torch.zeros(545, dtype=torch.int64), 9)):
        words = (
            f"loader: the order is of {order.samples} samples, there are 546; make it of all, or take fewer first: sa"
        )
        with pytest.raises(SampleError, match=words):
            Loader(samples, order, 32, generator())


@dataclass(frozen=True)
class Beyond:
    """An order of one's own, which counts from 1."""

    samples: int

    def draw(self, generator):
        return torch.randperm(self.samples, generator=generator) + 1


def test_an_order_that_draws_what_is_no_sample_is_refused():
    samples = make_samples(*sources())
    with pytest.raises(SampleError, match="the order drew numbers from 1 to 546, expected 0 to 545; its draw"):
        next(iter(Loader(samples, Beyond(len(samples)), 32, generator())))
