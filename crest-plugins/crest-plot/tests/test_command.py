"""The command `crest plot`, as users see it: exit status, standard output, standard error, files."""

import os
import subprocess
import sys

import pytest


def test_a_field_gives_a_png_and_an_html_named_after_run_and_field(crest, file, tmp_path):
    status, out, err = crest("plot", file, "discharge")
    assert (status, out.split(), err) == (0, ["results-discharge.png", "results-discharge.html"], "")
    assert (tmp_path / "results-discharge.png").read_bytes().startswith(b"\x89PNG")
    assert "results.nc" in (tmp_path / "results-discharge.html").read_text(encoding="utf-8")


def test_outputs_are_those_that_are_asked_for(crest, file, tmp_path):
    words = ("--cell", "upper", "--from", "2001-03-01", "--to", "2002-03-01", "--units", "m s-1", "--log")
    assert crest("plot", file, "discharge", *words, "--output", "pictures/a.png")[1].split() == ["pictures/a.png"]
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["a.png"]
    options = ("--kind", "quicklook", "--output", "q.html", "--output", "q.png")
    assert crest("plot", file, "discharge", *options)[1].split() == ["q.html", "q.png"]


def test_without_a_field_the_fields_are_told(crest, file):
    status, out, _ = crest("plot", file)
    assert status == 0
    assert "discharge      [mm day-1]  time 800, cell 2" in out
    assert out.splitlines()[-1] == f"next: crest plot {file} discharge"


def test_rain_and_observations_come_from_other_files(crest, file, run, tmp_path):
    run[["rain", "discharge"]].rename(discharge="qobs").to_netcdf(tmp_path / "gauges.nc", engine="h5netcdf")
    words = ("--rain", "gauges.nc:rain", "--observed", "gauges.nc:qobs", "--output", "h.html")
    assert crest("plot", file, "discharge", *words)[0] == 0
    text = (tmp_path / "h.html").read_text(encoding="utf-8")
    assert "observed upper" in text and "rain [mm day-1]" in text


def test_availability_and_coverage_are_kinds(crest, file, run, tmp_path):
    run[["rain"]].to_netcdf(tmp_path / "gauges.nc", engine="h5netcdf")
    status, out, _ = crest("plot", file, "--kind", "availability", "--with", "gauges.nc", "--filled")
    assert (status, out.split()) == (0, ["results-availability.png", "results-availability.html"])
    assert "gauges: rain" in (tmp_path / "results-availability.html").read_text(encoding="utf-8")
    run["sample_count"] = ("cell", [3, 0])
    run[["sample_count"]].to_netcdf(tmp_path / "samples.nc", engine="h5netcdf")
    assert crest("plot", "samples.nc", "--kind", "coverage")[1].split()[0] == "samples-coverage.png"
    assert crest("plot", "samples.nc", "sample_count")[1].split()[0] == "samples-sample_count.png"


def test_a_record_of_a_folder_is_named_without_its_ending(crest, grid):
    grid.to_zarr("cube.zarr", consolidated=False)
    assert crest("plot", "cube.zarr", "warmth", "--time", "2001-01-04")[1].split()[0] == "cube-warmth.png"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("discharg",), "crest: no field 'discharg'; did you mean 'discharge'?"),
        (("discharge", "--kind", "mapp"), "--kind mapp: unknown; did you mean 'map'?; kinds: auto, map"),
        (("discharge", "--output", "a.pdf"), "a.pdf: pictures are .png (matplotlib) or .html (bokeh"),
        (("discharge", "--observed", "gauges.nc"), "--observed gauges.nc: expected FILE:VAR, a file and its variable"),
        (("discharge", "--with", "gauges.nc"), "use them with --kind availability"),
        (("discharge", "--from", "2020-01-01"), "it has 2001-01-01 to 2003-03-12; the end is excluded"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(crest, file, tmp_path, words, text):
    status, out, err = crest("plot", file, *words)
    assert (status, out) == (2, "") and text in err and len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["results.nc"]


def test_a_file_without_fields_says_so(crest, run, tmp_path):
    run[[]].to_netcdf(tmp_path / "none.nc", engine="h5netcdf")
    status, _, err = crest("plot", "none.nc")
    assert status == 2 and "none.nc has no field of numbers; it holds nothing" in err


def test_help_teaches_by_example(crest):
    status, out, _ = crest("plot", "--help")
    assert status == 0 and out.count("crest plot") > 6 and "hydrograph" in out


def test_the_command_is_listed_without_importing_anything_heavy():
    code = (
        "import sys\nfrom crest_core.cli import main\ntry:\n    main(['list'])\n"
        "except SystemExit:\n    pass\nprint(sorted({m.split('.')[0] for m in sys.modules}))"
    )
    environment = {**os.environ, "CREST_PLUGINS": "crest-plot"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "plot" in done.stdout.split()
    for heavy in ("torch", "xarray", "matplotlib", "bokeh", "pandas", "zarr", "numpy"):
        assert f"'{heavy}'" not in done.stdout.splitlines()[-1]
