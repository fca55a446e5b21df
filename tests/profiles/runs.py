"""run.json values built by code: small, consistent, like those that `slipway run` writes."""

from __future__ import annotations

from typing import Any


def spread(total: int, samples: int) -> dict[str, float]:
    mean = total / samples
    return {"mean": mean, "std": mean / 7, "minimum": 0.5 * mean, "maximum": 1.7 * mean}


def population(
    kind: str, shape: tuple[int, ...], spikes: int, samples: int, executed: int
) -> dict[str, Any]:
    neurons = 1
    for length in shape:
        neurons *= length
    return {
        "kind": kind,
        "shape": list(shape),
        "neurons": neurons,
        "spikes": spikes,
        "spikes_per_sample": spread(spikes, samples),
        "neuron_updates": neurons * executed * samples,
        "saturated": 0,
    }


def projection(
    source: str, target: str, kind: str, synapses: int, synops: int, samples: int, graded: bool
) -> dict[str, Any]:
    return {
        "source": source,
        "target": target,
        "kind": kind,
        "graded": graded,
        "synapses": synapses,
        "synapses_all": synapses + synapses // 9,
        "synops": synops,
        "synops_all": synops + synops // 9,
        "synops_per_sample": spread(synops, samples),
        "delay": 0,
        "folded": [],
    }


def compile_report(names: list[str], projections: list[str]) -> dict[str, Any]:
    return {
        "populations": {
            name: {
                "kind": "LIF",
                "neurons": 10,
                "scale": 12.345678,
                "threshold": [800, 812],
                "bounds": {
                    "current": [-9000, 11000],
                    "current_limit": 131071,
                    "u": [-700000, 800000],
                    "v": [-3000000, 4000000],
                    "v_proven_steps": None,
                },
                "error": {
                    "rate_cosine": 0.99871,
                    "raster_cosine": 0.93,
                    "spikes_float": 1234,
                    "spikes_fixed": 1240,
                    "membrane_rms": 0.0123,
                },
                "saturated": 0,
            }
            for name in names
        },
        "projections": {
            name: {"exponent": 0, "sign_mode": "mixed", "weight_error_relative": 0.0041}
            for name in projections
        },
        "warnings": ["hidden: 3 weights were rounded to zero"],
        "calibration_samples": 128,
    }


def faces(*, samples: int = 500, silent: bool = False, labels: bool = True) -> dict[str, Any]:
    """A small convolutional student: graded frames of 1 x 48 x 48, 8 steps, 7 classes."""
    presented, latency = 8, 4
    executed = presented + latency
    live = 0 if silent else 1
    shapes = {
        "conv1": ("LIF", (16, 24, 24), 900 * samples * live),
        "conv2": ("LIF", (32, 12, 12), 610 * samples * live),
        "hidden": ("CubaLIF", (128,), 97 * samples * live),
        "classes": ("readout", (7,), 0),
    }
    populations = {
        name: population(kind, shape, spikes, samples, executed)
        for name, (kind, shape, spikes) in shapes.items()
    }
    wires = (
        ("frames", "conv1", "Conv2d", 81_000, 640_000 * samples, True),
        ("conv1", "conv2", "Conv2d", 640_000, 62_000 * samples * live, False),
        ("conv2", "hidden", "Dense", 580_000, 76_000 * samples * live, False),
        ("hidden", "classes", "Dense", 890, 672 * samples * live, False),
    )
    projections = {
        f"{source}->{target}": projection(source, target, kind, n, synops, samples, graded)
        for source, target, kind, n, synops, graded in wires
    }
    truth = [n % 7 for n in range(samples)]
    return {
        "format": 1,
        "engine": "fast",
        "precision": "fixed",
        "target": "loihi2",
        "samples": samples,
        "steps": presented,
        "executed_steps": executed,
        "latency_steps": latency,
        "dt_second": 0.001,
        "accuracy": 0.634 if labels else None,
        "predictions": [n % 7 if n % 3 else 0 for n in range(samples)],
        "labels": truth if labels else None,
        "clipped": 0,
        "inputs": {
            "frames": {
                "shape": [1, 48, 48],
                "graded": True,
                "neurons": 2304,
                "messages": 2304 * presented * samples,
            },
        },
        "outputs": {
            "output": {
                "population": "classes",
                "readout": "mean",
                "predictions": [n % 7 if n % 3 else 0 for n in range(samples)],
            },
        },
        "populations": populations,
        "projections": projections,
        "seconds": 4.2,
        "sample_steps_per_second": 1428.6,
        "compile": compile_report(list(populations), list(projections)),
        "provenance": {
            "slipway": "0.1.0",
            "python": "3.11.9",
            "numpy": "2.4.6",
            "platform": "Linux-x86_64",
            "command": "slipway run student.slip --data test.npz -o run.json",
            "program": {"file": "student.slip", "sha256": "a3" * 32},
            "data": {"file": "test.npz", "sha256": "5f" * 32},
            "seed": 0,
        },
    }


def chain(layers: int, *, samples: int = 200, name: str = "layer") -> dict[str, Any]:
    """A dense network of many layers, spikes in."""
    run = faces(samples=samples)
    names = [f"{name}_{n:02d}" for n in range(layers)]
    run["populations"] = {
        n: population("LIF", (256,), max(1, 300 - 5 * i) * samples, samples, 48)
        for i, n in enumerate(names)
    }
    run["projections"] = {
        f"{source}->{target}": projection(
            source, target, "Dense", 65_000, 70_000 * samples, samples, False
        )
        for source, target in zip(["frames", *names], names, strict=False)
    }
    run["inputs"]["frames"]["graded"] = False
    run["executed_steps"] = 48
    run["compile"] = compile_report(names, list(run["projections"]))
    return run


def two_inputs() -> dict[str, Any]:
    """Frames and spikes in, two outputs, and a population that sends values on."""
    run = faces()
    samples = run["samples"]
    sound = {"shape": [64], "graded": False, "neurons": 64, "messages": 40 * samples}
    run["inputs"]["sound"] = sound
    run["projections"]["sound->hidden"] = projection(
        "sound", "hidden", "Dense", 8_000, 5_000 * samples, samples, False
    )
    run["outputs"]["exit"] = {"population": "conv2", "readout": "count", "predictions": []}
    run["populations"]["conv2"]["kind"] = "Threshold"
    run["projections"]["conv2->hidden"]["graded"] = True
    return run
