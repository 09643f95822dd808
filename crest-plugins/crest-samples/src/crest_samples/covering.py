"""coverage: how often each place and each time is scored."""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr

from crest_samples.samples import Samples


def coverage(samples: Samples, numbers: torch.Tensor | None = None) -> xr.Dataset:
    """Return counts on the grid or cells that the places come from: samples of each place, and of each time.

    A time counts each sample that scores it. `numbers` restricts the counts to some samples (a batch, an epoch).
    """
    index = samples.index if numbers is None else samples.index[numbers]
    place, start = index.to(torch.int64).unbind(1)
    window, steps = samples.window, len(samples.axis)
    edges = torch.zeros(steps + 1, dtype=torch.int64)
    ones = torch.ones_like(start)
    edges.index_add_(0, start + window.length - window.scored, ones)
    edges.index_add_(0, start + window.length, -ones)
    places = samples.places
    shape = places.shape or (len(places),)
    position = np.arange(len(places)) if places.position is None else places.position
    counts = np.zeros(int(np.prod(shape)), dtype=np.int64)
    counts[position] = torch.bincount(place, minlength=len(places)).numpy()
    own = {"lat": (places.dims, places.lat), "lon": (places.dims, places.lon), "cell_id": (places.dims, places.ids)}
    text = {"units": "1", "long_name": "number of samples"}
    return xr.Dataset(
        {
            "sample_count": (places.dims, counts.reshape(shape), text),
            "sample_count_in_time": ("time", edges.cumsum(0)[:-1].numpy(), text),
        },
        {"time": samples.axis.values, **(own if places.origin is None else places.origin)},
        {"changes": "\n".join(samples.log)},
    )
