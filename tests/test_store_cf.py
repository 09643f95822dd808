"""What a stored run exports is CF: the compliance checker finds no errors in statistics of its steps."""

import pytest
from compliance_checker.runner import CheckSuite
from crest_store import IcechunkArchive, Stream, open_run
from crest_store.export import export

from crest_core import Connection, Graph, simulate
from crest_core.testing import LinearReservoir, Stress, TorchBucket, weather

OUTPUTS = ("storage", "streamflow")  # the other outputs of the small models are no CF: depths with names of fluxes
HIGH = 3  # the priority of what CF requires; 2 and 1 are recommendations
STREAMS = {
    "steps": (Stream(fields=OUTPUTS), "time: point", "time: mean"),
    "extremes": (
        Stream(fields=OUTPUTS, every="1MS", statistic="max"),
        "time: maximum (interval: 1 day)",
        "time: mean time: maximum (interval: 1 day)",
    ),
    "means": (Stream(fields=OUTPUTS, every="5D", statistic="mean"), "time: mean (interval: 1 day)", "time: mean"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("cf") / "run"
    lag = Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)
    graph = Graph({"plant": Stress(), "soil": TorchBucket(), "river": LinearReservoir()}, [lag])
    with IcechunkArchive(path, history={name: stream for name, (stream, *_) in STREAMS.items()}) as archive:
        simulate(graph, weather(70, 3, seed=1), window="30D", archive=archive)
    return path


@pytest.mark.parametrize("name", STREAMS)
def test_an_exported_stream_is_cf(folder, tmp_path, name):
    run = open_run(folder)
    found = {field: run.history(name)[field].attrs["cell_methods"] for field in OUTPUTS}
    assert tuple(found.values()) == STREAMS[name][1:]
    file = export(run, tmp_path / "out.nc", name)
    CheckSuite.load_all_available_checkers()
    suite = CheckSuite()
    with suite.load_dataset(str(file)) as opened:
        ((results, broken),) = suite.run_all(opened, ["cf:1.11"]).values()
    assert not broken and len(results) > 10
    failed = [result for result in results if result.weight >= HIGH and result.value[0] < result.value[1]]
    assert [f"{result.name}: {message}" for result in failed for message in result.msgs] == []
