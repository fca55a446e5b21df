"""Network files as slayer's `export_hdf5` writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Fields = dict[str, Any]


def write(path: Path, *layers: Mapping[str, Any], **simulation: int) -> Path:
    """A file with these layers; the keys are those of the file."""
    with h5py.File(path, "w") as file:
        for index, layer in enumerate(layers):
            group = file.create_group(f"layer/{index}")
            for key, value in layer.items():
                if key == "type":
                    group.create_dataset(key, (1,), "S10", [value.encode("ascii")])
                else:
                    group.create_dataset(key, data=value)
        for key, number in simulation.items():
            file.create_dataset(f"simulation/{key}", data=number)
    return path


def cuba(i_decay: Any = 1024, v_decay: Any = 300, threshold: Any = 80, **more: Any) -> Fields:
    return {
        "neuron/type": "CUBA",
        "neuron/iDecay": i_decay,
        "neuron/vDecay": v_decay,
        "neuron/vThMant": threshold,
        "neuron/refDelay": 1,
        "neuron/gradedSpike": False,
        **{f"neuron/{key}": value for key, value in more.items()},
    }


def sdnn(threshold: int = 3, **more: Any) -> Fields:
    return {
        "neuron/type": "SDNN",
        "neuron/activation": "relu",
        "neuron/vThMant": threshold,
        **{f"neuron/{key}": value for key, value in more.items()},
    }


def resonator(kind: str, sine: Any, cosine: Any, threshold: Any) -> Fields:
    return {
        "neuron/type": kind,
        "neuron/sinDecay": sine,
        "neuron/cosDecay": cosine,
        "neuron/vThMant": threshold,
        "neuron/gradedSpike": False,
    }


def even(seed: int, *shape: int, low: int = -60, high: int = 70) -> Any:
    """Even weights as float32."""
    return (2 * np.random.default_rng(seed).integers(low, high, shape)).astype(np.float32)


def floats(values: Any) -> Any:
    """As slayer stores weights and biases."""
    return np.asarray(values, np.float32)


def dense(weight: Any, neuron: Fields | None = None, **more: Any) -> Fields:
    neuron = cuba() if neuron is None else neuron
    return {
        "type": "dense",
        "shape": np.array([len(weight)]),
        "weight": weight,
        **neuron,
        **more,
    }


def recurrent(weight: Any, own: Any, neuron: Fields | None = None, **more: Any) -> Fields:
    return {**dense(weight, neuron, **more), "type": "dense_rec", "weight_rec": own}


def complex_dense(real: Any, imaginary: Any, neuron: Fields, **more: Any) -> Fields:
    return {
        "type": "dense",
        "shape": np.array([len(real)]),
        "weight/real": real,
        "weight/imag": imaginary,
        **neuron,
        **more,
    }


def conv(
    weight: Any,
    shape: tuple[int, int, int],
    neuron: Fields | None = None,
    *,
    stride: Any = (1, 1),
    padding: Any = (0, 0),
    dilation: Any = (1, 1),
    groups: int = 1,
    **more: Any,
) -> Fields:
    """`shape` is that of the output."""
    return {
        "type": "conv",
        "shape": np.array(shape),
        "inChannels": weight.shape[1] * groups,
        "outChannels": weight.shape[0],
        "kernelSize": np.array(weight.shape[2:4]),
        "stride": np.array(stride),
        "padding": np.array(padding),
        "dilation": np.array(dilation),
        "groups": groups,
        "weight": weight,
        **(cuba() if neuron is None else neuron),
        **more,
    }


def inputs(*shape: int, **more: Any) -> Fields:
    return {"type": "input", "shape": np.array(shape), **more}


FLATTEN: Fields = {"type": "flatten", "shape": np.array([0])}
