"""Small networks in ONNX files, with the fields that they stand for."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from crest_onnx import onnx_component
from onnx import TensorProto, helper, numpy_helper

from crest_core import Component, FieldSpec, Sizes, Standardize, TensorMap

RAIN = FieldSpec(name="rain", units="mm day-1", standard_name="precipitation_flux")
WARMTH = FieldSpec(name="warmth", units="degC", standard_name="air_temperature")
HEIGHT = FieldSpec(name="height", units="m", standard_name="surface_altitude", static=True)
RUNOFF = FieldSpec(name="runoff", units="mm day-1", standard_name="runoff_flux")
MEMORY = FieldSpec(name="memory", units="1", dims=("layer", "hidden", "cell"), cell_methods="time: point")
SCALE = Standardize(
    mean={"rain": 3.0, "warmth": 10.0, "height": 500.0, "runoff": 1.0},
    std={"rain": 6.0, "warmth": 8.0, "height": 300.0, "runoff": 2.0},
)
SIZES = {"cell": 3, "y": 8, "x": 4, "layer": 1, "hidden": 4}
PACKED = "... layer hidden cell -> (field layer) (... cell) hidden"


@dataclass(frozen=True)
class Network:
    """An ONNX file and the arguments that make a component of it."""

    path: Path
    arguments: dict[str, Any]

    def component(self, **changes: Any) -> Component:
        return onnx_component(self.path, **(self.arguments | changes))

    def model(self) -> onnx.ModelProto:
        return onnx.load(self.path)

    def written(self, model: onnx.ModelProto) -> "Network":
        """Return the network of a changed model, in a file of its own."""
        path = self.path.with_name(f"changed-{len(list(self.path.parent.iterdir()))}.onnx")
        path.write_bytes(model.SerializeToString())
        return replace(self, path=path)


@dataclass(frozen=True)
class Bench:
    """What tests do with networks: write them, force them, start them."""

    folder: Path

    def file(
        self,
        nodes: list[onnx.NodeProto],
        inputs: dict[str, list[Any]],
        outputs: dict[str, list[Any]],
        weights: dict[str, np.ndarray],
        *,
        opset: int = 17,
        kind: int = TensorProto.FLOAT,
        name: str = "network.onnx",
    ) -> Path:
        def declared(tensors: dict[str, list[Any]]) -> list[onnx.ValueInfoProto]:
            return [helper.make_tensor_value_info(key, kind, shape) for key, shape in tensors.items()]

        stored = [numpy_helper.from_array(value, key) for key, value in weights.items()]
        graph = helper.make_graph(nodes, "network", declared(inputs), declared(outputs), stored)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        path = self.folder / name
        path.write_bytes(model.SerializeToString())
        return path

    def columns(self, kind: int = TensorProto.FLOAT) -> Network:
        """Return a dense network that looks at one column and one step."""
        random = np.random.default_rng(1)
        nodes = [
            helper.make_node("MatMul", ["x", "w1"], ["a"], name="first"),
            helper.make_node("Add", ["a", "b1"], ["b"]),
            helper.make_node("Tanh", ["b"], ["c"], name="bend"),
            helper.make_node("MatMul", ["c", "w2"], ["y"]),
        ]
        shapes = {"w1": (3, 6), "b1": (6,), "w2": (6, 1)}
        weights = {key: random.normal(size=shape) for key, shape in shapes.items()}
        dtype = np.float32 if kind == TensorProto.FLOAT else np.float64
        weights = {key: value.astype(dtype) for key, value in weights.items()}
        path = self.file(nodes, {"x": ["t", "n", 3]}, {"y": ["t", "n", 1]}, weights, kind=kind)
        return Network(path, {
            "inputs": (RAIN, WARMTH, HEIGHT),
            "outputs": (RUNOFF,),
            "input_maps": (TensorMap("x", ("rain", "warmth", "height"), scale=SCALE),),
            "output_maps": (TensorMap("y", ("runoff",), scale=SCALE),),
        })  # fmt: skip

    def gru(self, before: int = 0) -> Network:
        """Return a GRU with a linear head, its state h0 -> hn."""
        random = np.random.default_rng(2)
        nodes = [
            helper.make_node(
                "GRU",
                ["x", "w", "r", "b", "", "h0"],
                ["all", "hn"],
                hidden_size=4,
                linear_before_reset=before,
                name="gru",
            ),
            helper.make_node("Squeeze", ["all", "one"], ["features"]),
            helper.make_node("MatMul", ["features", "head"], ["y"]),
        ]
        shapes = {"w": (1, 12, 2), "r": (1, 12, 4), "b": (1, 24), "head": (4, 1)}
        weights = {key: random.normal(0, 0.5, shape).astype(np.float32) for key, shape in shapes.items()}
        weights["one"] = np.array([1])
        path = self.file(
            nodes, {"x": ["t", "n", 2], "h0": [1, "n", 4]}, {"y": ["t", "n", 1], "hn": [1, "n", 4]}, weights
        )
        return Network(path, {
            "inputs": (RAIN, WARMTH),
            "outputs": (RUNOFF,),
            "states": (MEMORY,),
            "input_maps": (TensorMap("x", ("rain", "warmth"), scale=SCALE),),
            "output_maps": (TensorMap("y", ("runoff",), scale=SCALE),),
            "state_maps": (TensorMap("h0", ("memory",), PACKED),),
            "state_outputs": ("hn",),
            "dim_sizes": {"layer": 1, "hidden": 4},
        })  # fmt: skip

    def images(self) -> Network:
        """Return a convolutional network that halves the resolution and comes back."""
        random = np.random.default_rng(3)
        nodes = [
            helper.make_node("Conv", ["x", "k1", "b1"], ["a"], pads=[1, 1, 1, 1], strides=[2, 2]),
            helper.make_node("BatchNormalization", ["a", "s", "b", "mean", "variance"], ["c"]),
            helper.make_node("Tanh", ["c"], ["d"]),
            helper.make_node("Resize", ["d", "", "double"], ["e"], mode="linear"),
            helper.make_node("Conv", ["e", "k2"], ["y"], auto_pad="SAME_UPPER"),
        ]
        shapes = {"k1": (4, 2, 3, 3), "b1": (4,), "s": (4,), "b": (4,), "mean": (4,), "k2": (1, 4, 3, 3)}
        weights = {key: random.normal(0, 0.4, shape).astype(np.float32) for key, shape in shapes.items()}
        weights["variance"] = np.array([0.5, 1.0, 1.5, 2.0], dtype=np.float32)
        weights["double"] = np.array([1, 1, 2, 2], dtype=np.float32)
        path = self.file(nodes, {"x": ["n", 2, "h", "w"]}, {"y": ["n", 1, "h", "w"]}, weights)
        rain, height, runoff = (replace(spec, dims=("y", "x")) for spec in (RAIN, HEIGHT, RUNOFF))
        pattern = "time ... y x -> (time ...) field y x"
        return Network(path, {
            "inputs": (rain, height),
            "outputs": (runoff,),
            "input_maps": (TensorMap("x", ("rain", "height"), pattern, SCALE),),
            "output_maps": (TensorMap("y", ("runoff",), pattern, SCALE),),
        })  # fmt: skip

    def window(self) -> Network:
        """Return a network that sees the last seven days, attended to by softmax."""
        random = np.random.default_rng(4)
        nodes = [
            helper.make_node("Mul", ["x", "k"], ["a"]),
            helper.make_node("Softmax", ["a"], ["p"], axis=1),
            helper.make_node("Mul", ["x", "p"], ["b"]),
            helper.make_node("ReduceSum", ["b", "days"], ["c"], keepdims=0),
            helper.make_node("Gemm", ["c", "w", "bias"], ["y"], transB=1, alpha=0.5),
        ]
        weights = {key: random.normal(size=shape).astype(np.float32) for key, shape in
                   {"k": (7, 1), "w": (1, 1), "bias": (1,)}.items()}  # fmt: skip
        weights["days"] = np.array([1])
        path = self.file(nodes, {"x": ["n", 7, 1]}, {"y": ["n", 1]}, weights)
        return Network(path, {
            "inputs": (replace(RAIN, window=7),),
            "outputs": (RUNOFF,),
            "input_maps": (TensorMap("x", ("rain",), "time window ... -> (time ...) window field", SCALE),),
            "output_maps": (TensorMap("y", ("runoff",), "time ... -> (time ...) field", SCALE),),
        })  # fmt: skip

    @staticmethod
    def forcing(
        component: Component, days: int, lead: tuple[int, ...] = (), dtype: torch.dtype = torch.float64
    ) -> dict[str, torch.Tensor]:
        """Return random inputs (time, [window], *lead, *dims)."""
        generator = torch.Generator().manual_seed(5)
        values = {}
        for spec in component.inputs:
            before = () if spec.static else (days, spec.window) if spec.window > 1 else (days,)
            shape = (*before, *lead, *(SIZES[name] for name in spec.dims))
            noise = torch.randn(shape, generator=generator, dtype=dtype)
            values[spec.name] = SCALE.mean[spec.name] + SCALE.std[spec.name] * noise
        return values

    @staticmethod
    def start(
        component: Component, lead: tuple[int, ...] = (), dtype: torch.dtype = torch.float64
    ) -> dict[str, torch.Tensor]:
        return component.initial_state(Sizes(SIZES, lead, dtype))

    @staticmethod
    def part(component: Component, inputs: dict[str, torch.Tensor], which: Any) -> dict[str, torch.Tensor]:
        """Return one time, or a slice of times, of the inputs."""
        static = {spec.name for spec in component.inputs if spec.static}
        return {name: value if name in static else value[which] for name, value in inputs.items()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A folder for networks."""
    return Bench(tmp_path)


@pytest.fixture(params=["columns", "gru", "images", "window"])
def network(request: pytest.FixtureRequest, bench: Bench) -> Network:
    """Each kind of network in turn."""
    build: Callable[[], Network] = getattr(bench, request.param)
    return build()
