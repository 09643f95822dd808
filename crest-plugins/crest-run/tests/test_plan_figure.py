"""The drawing of a plan."""

import matplotlib
from crest_run import draw_plan

from crest_core import Connection, Graph, NoGradient
from crest_core.testing import LinearReservoir, NumpyBucket, Stress, TorchBucket

matplotlib.use("Agg")
LAG = Connection("soil.storage", "plant.storage", lagged=True, initial=50.0)


def test_the_drawing_shows_every_component_and_field(tmp_path):
    open_ = Graph({"plant": Stress(), "soil": TorchBucket(), "river": LinearReservoir()}, [LAG])
    blocked = Graph({"soil": NumpyBucket(gradient=NoGradient()), "plant": Stress()}, [LAG])
    for model in (open_, blocked):
        axes = draw_plan(model.plan())
        shown = " ".join(text.get_text() for text in axes.texts)
        assert all(name in shown for name in (*model.components, "forcing", "storage", "precipitation"))
        axes.figure.savefig(tmp_path / "plan.png")
        matplotlib.pyplot.close(axes.figure)
    assert (tmp_path / "plan.png").stat().st_size > 5000
