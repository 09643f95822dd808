"""TrainingSamples: what training takes, from the periods that are asked for and from nothing else."""

import numpy as np
import pytest
import torch
from crest_samples import SampleError, TrainingSamples, example_gauges

TRAIN, TEST = ("2001-02-01", "2001-03-01"), ("2001-03-01", "2001-04-01")


def held(**changes):
    gauges = example_gauges().assign(**changes)
    return TrainingSamples(
        gauges[["slope", "discharge"]].rename(discharge="flow"), gauges[["discharge"]], steps=10, spin_up=5
    )


def test_scored_steps_lie_in_the_period_and_spin_up_reaches_before_it():
    samples = held()
    batches = list(samples.loader(TRAIN, batch=7))
    first = min(batch.times[:, i].min() for batch in batches for i in range(len(batch)))
    assert first.isoformat() == "2001-01-27T00:00:00"  # five days before
    dates = [batch.times[5:] for batch in batches]
    assert all(one.min().isoformat() >= "2001-02-01" and one.max().isoformat() < "2001-03-01" for one in dates)


def test_statistics_are_those_of_the_training_period():
    discharge = example_gauges()["discharge"]
    changed = discharge.where(discharge.time < np.datetime64("2001-03-01"), 1e9)
    mean, std = held(discharge=changed.assign_attrs(discharge.attrs)).statistics(TRAIN)
    inside = discharge.sel(time=slice("2001-02-01", "2001-02-28"))
    assert mean["discharge"] == pytest.approx(float(inside.mean()))
    assert std["flow"] == pytest.approx(float(inside.std()))


def test_what_does_not_vary_is_not_scaled():
    slope = example_gauges()["slope"]
    mean, std = held(slope=(slope * 0 + 4.0).assign_attrs(slope.attrs)).statistics(TRAIN)
    assert (mean["slope"], std["slope"]) == (4.0, 1.0)


def test_the_spread_of_each_place_is_that_over_time():
    spread = held().spread("discharge", TRAIN)
    assert spread.shape == (6,)
    assert spread.tolist() == pytest.approx([float(np.arange(28).std())] * 6, rel=1e-5)


def test_a_period_without_samples_is_an_error():
    with pytest.raises(SampleError, match="none is left"):
        held().loader(("2001-02-01", "2001-02-05"), batch=2)


def test_a_loader_tells_its_batches_and_draws_nothing_for_it():
    samples = held()
    first, second = (samples.loader(TEST, batch=16, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    count = len(first)
    batches = [batch.start.tolist() for batch in first]
    assert count == len(batches) and batches == [batch.start.tolist() for batch in second]


def test_training_and_validation_that_share_steps_are_refused():
    samples = held()
    samples.statistics(TRAIN)
    samples.loader(TRAIN, batch=4, generator=torch.Generator())
    samples.loader(TEST, batch=4)  # begins where training ends
    with pytest.raises(SampleError, match="2001-02-20 to 2001-03-01 .in order. overlaps .* .shuffled, stat.* 9 steps"):
        samples.loader(("2001-02-20", "2001-03-01"), batch=4)
    with pytest.raises(SampleError, match="2001-03-01 is both trained on .shuffled. and validated on .in order.; give"):
        samples.loader(TRAIN, batch=4)
    with pytest.raises(SampleError, match=r"the period 2001-02-01 to 2001-04-01 \(statistics\) overlaps"):
        samples.spread("discharge", ("2001-02-01", "2001-04-01"))
    with pytest.raises(SampleError, match="both trained on"):
        samples.loader(("2001-03-01T00:00:00", "2001-04-01"), batch=4, generator=torch.Generator())


def test_statistics_of_a_period_that_is_not_trained_on_are_refused():
    samples = held()
    samples.statistics(TEST)
    samples.loader(TEST, batch=4)
    with pytest.raises(SampleError, match="the statistics are of 2001-03-01 to .*, which is not trained on .shuffled."):
        samples.loader(TRAIN, batch=4, generator=torch.Generator())
    samples = held()
    samples.loader(TRAIN, batch=4, generator=torch.Generator())
    with pytest.raises(SampleError, match="which is not trained on .* take them of the training period"):
        samples.statistics(TEST)
    samples.statistics(TRAIN)


def with_gaps():
    """Samples of an input `slope`, and of `flow` with gaps; the gaps of the target are others."""
    gauges = example_gauges()
    flow = gauges["discharge"].copy()
    flow[::3] = np.nan
    inputs = gauges[["slope"]].assign(flow=flow.assign_attrs(gauges["discharge"].attrs))
    return inputs, gauges[["discharge"]]


def test_windows_are_kept_whose_gaps_are_in_an_input_that_may_be_missing():
    inputs, targets = with_gaps()
    whole = TrainingSamples(inputs[["slope"]], targets, steps=10, spin_up=5)
    kept = TrainingSamples(inputs, targets, steps=10, spin_up=5, missing=("flow",))
    assert len(kept.samples) == len(whole.samples)
    batch = next(iter(kept.loader(TRAIN, batch=4)))
    assert list(batch.inputs) == ["flow", "slope"] and float(batch.inputs["flow"].isnan().float().mean()) > 0.3
    with pytest.raises(SampleError, match="no window of 15 steps is left"):
        TrainingSamples(inputs, targets, steps=10, spin_up=5)


def test_statistics_of_an_input_with_gaps_are_those_of_what_is_there():
    inputs, targets = with_gaps()
    mean, _ = TrainingSamples(inputs, targets, steps=10, missing=("flow",)).statistics(TRAIN)
    inside = inputs["flow"].sel(time=slice("2001-02-01", "2001-02-28"))
    assert mean["flow"] == pytest.approx(float(inside.mean()))


def test_an_input_that_may_be_missing_and_is_none_is_told():
    inputs, targets = with_gaps()
    with pytest.raises(SampleError, match=r"no input \['snow'\] that may be missing; the inputs are slope, flow"):
        TrainingSamples(inputs, targets, steps=10, missing=("snow",))


def test_the_shares_of_processes_are_the_batches_of_one():
    """Of 2 samples in the last batch the third process has none, and get nothing to score."""
    samples = held()

    def batches(**share):
        return list(samples.loader(TRAIN, batch=7, generator=torch.Generator().manual_seed(1), **share))

    whole, shares = batches(), [batches(share=(number, 3)) for number in range(3)]
    assert len(whole[-1]) < 3
    for index, batch in enumerate(whole):
        own = [share[index] for share in shares]
        scored = [one for one in own if not one.targets["discharge"].isnan().all()]
        pairs = [(int(p), int(s)) for one in scored for p, s in zip(one.place, one.start, strict=True)]
        assert sorted(pairs) == sorted(zip(batch.place.tolist(), batch.start.tolist(), strict=True))
    with pytest.raises(SampleError, match=r"share \(3, 3\); expected \(number of the process, from 0, how many"):
        batches(share=(3, 3))


def test_the_state_of_one_share_is_that_of_all():
    samples = held()
    one, other = (
        samples.loader(TRAIN, batch=8, generator=torch.Generator().manual_seed(1), share=(number, 2))
        for number in (0, 1)
    )
    for loader in (one, other):
        next(iter(loader))
    expected = next(iter(other)).start
    again = samples.loader(TRAIN, batch=8, generator=torch.Generator().manual_seed(7), share=(1, 2))
    again.restore(one.state())
    assert torch.equal(next(iter(again)).start, expected)
