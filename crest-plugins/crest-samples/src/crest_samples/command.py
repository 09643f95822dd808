"""The command `crest samples`: how many windows a data set holds, and where."""

from __future__ import annotations

from pathlib import Path


def samples(
    data: Path, inputs: str, targets: str, steps: int = 365, spin_up: int = 0, output: Path | None = None
) -> None:
    """Count the complete windows of a netCDF or Zarr data set; write their coverage with --output.

    INPUTS and TARGETS are names of variables, with commas between them. The coverage is drawn by
    `crest plot OUTPUT sample_count`.
    """
    import xarray as xr

    from crest_samples.covering import coverage
    from crest_samples.making import make_samples
    from crest_samples.source import Source
    from crest_samples.window import Window

    dataset = xr.open_zarr(data) if data.is_dir() else xr.open_dataset(data)
    ours, theirs = (Source(dataset, tuple(text.split(","))) for text in (inputs, targets))
    made = make_samples([ours], [theirs], Window(steps, spin_up))
    print(f"{len(made)} windows of {made.window.length} steps at {len(made.places)} places")
    for line in made.log:
        print(line)
    if output is not None:
        coverage(made).to_netcdf(output)
        print(f"wrote {output}")
