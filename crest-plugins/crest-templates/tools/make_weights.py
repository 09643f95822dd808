"""Write the random weights that the templates onnx, keras and model-folder ship: python tools/make_weights.py.

Needs crest-onnx, crest-keras and crest-models. Run it after a change of the network; SEED makes it repeatable.
"""

import tempfile
from pathlib import Path

import torch

from crest_core import FieldSpec, Standardize, registry

SEED = 20250101
HIDDEN = 8
TEMPLATES = Path(__file__).parent.parent / "src" / "crest_templates" / "templates"
INPUTS = (
    FieldSpec(name="precipitation", units="mm day-1", standard_name="precipitation_flux", doc="mean of the day"),
    FieldSpec(name="temperature", units="degC", standard_name="air_temperature", doc="mean of the day"),
)
OUTPUTS = (FieldSpec(name="runoff", units="mm day-1", standard_name="runoff_flux", doc="mean of the day"),)
SCALE = Standardize(
    mean={"precipitation": 3.0, "temperature": 8.0, "runoff": 1.5},
    std={"precipitation": 6.0, "temperature": 8.0, "runoff": 2.0},
)


def main() -> None:
    """Write the three files, and print their sizes."""
    from crest_keras import keras_lstm_component
    from crest_onnx import export_onnx

    fields = {"inputs": INPUTS, "outputs": OUTPUTS, "scale": SCALE, "hidden": HIDDEN}
    lstm = registry().load("backends", "torch-lstm")(**fields, generator=torch.Generator().manual_seed(SEED))
    keras = keras_lstm_component(**fields, seed=SEED)
    with tempfile.TemporaryDirectory() as folder:
        for template, name, write in (
            ("onnx", "weights.onnx", lambda path: export_onnx(lstm, path)),
            ("keras", "weights.keras", keras.module.structure.model.save),
            ("model-folder", "model/weights.safetensors", lstm.save_weights),
        ):
            trial = Path(folder) / Path(name).name
            write(trial)
            target = TEMPLATES / template / "src" / "{{module}}" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(trial.read_bytes())
            print(f"{template}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
