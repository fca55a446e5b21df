"""The rebuilt Loihi 1 network: neuron by neuron in plain integers, and its published counts."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slipway.profiles import validation_rows
from slipway.profiles.rebuild import Chain, _stimulus, counted
from slipway.profiles.validate import validate
from slipway.profiles.validation_rows import changed, load_row
from slipway.profiles.workloads import run_of_row

ROWS = Path(validation_rows.__file__).parent / "validation"
ROOT = Path(validation_rows.__file__).parents[1]
DATA = Path(os.environ.get("SLIPWAY_DATA", ROOT.parent / "shared" / "data"))
needs_weights = pytest.mark.skipif(
    not (DATA / "sddpg").is_dir(), reason=f"no sddpg in {DATA}; set SLIPWAY_DATA"
)


def chain(schedule: str = "chip", drain: int = 3) -> Chain:
    rng = np.random.default_rng(4)
    sizes = (6, 9, 7, 2)
    return Chain(
        weights=tuple(rng.normal(0, 0.3, (b, a)) for a, b in pairwise(sizes)),
        biases=tuple(rng.normal(0, 0.2, b) for b in sizes[1:]),
        threshold=0.5,
        current_decay=2048,
        voltage_decay=1024,
        steps=4,
        drain=drain,
        rate=None,
        pairs=((0, 1),),
        inferences=3,
        episodes=2,
        seed=1,
        schedule=schedule,
        destination_cores=(2, 2, 1),
        bias_destination_cores=(2, 2, 1),
    )


def decayed(value: int, decay: int) -> int:
    kept = (abs(value) * (4096 - decay)) >> 12
    return kept if value >= 0 else -kept


def by_hand(made: Chain) -> dict[str, int]:
    """Spikes and synops by loops over neurons: the published rules in plain integers."""
    layers: list[tuple[list[list[int]], list[int], int]] = []
    for weight, bias in zip(made.weights, made.biases, strict=True):
        scale = 255 / max(abs(weight).max(), abs(bias).max())
        whole = [[int(w * scale) for w in row] for row in weight.tolist()]
        layers.append((whole, [int(b * scale) for b in bias.tolist()], int(0.5 * scale) * 64))
    stimulus = _stimulus(made)
    found: dict[str, int] = {}
    for episode in range(made.episodes):
        u = [[0] * len(weight) for weight, _, _ in layers]
        v = [[0] * len(weight) for weight, _, _ in layers]
        before: list[list[int]] = [[0] * made.weights[0].shape[1], *[[0] * len(x) for x in u]]
        bias_before = [0] * len(layers)
        for t in range(made.inferences * made.executed):
            now = [[int(x) for x in stimulus["input"][episode, t]]]
            biased = [int(stimulus[f"bias{n}"][episode, t, 0]) for n in range(len(layers))]
            for n, (rows, offsets, threshold) in enumerate(layers):
                now.append([0] * len(rows))
                for i, row in enumerate(rows):
                    a = sum(w * s for w, s in zip(row, before[n], strict=True))
                    a += offsets[i] * bias_before[n]
                    u[n][i] = decayed(u[n][i], 2048) + (a << 6)
                    v[n][i] = decayed(v[n][i], 1024) + u[n][i]
                    if v[n][i] > threshold:
                        v[n][i], now[-1][i] = 0, 1
                sent = sum(
                    w != 0 for row in rows for w, s in zip(row, now[n], strict=True) if s
                )
                found[f"synops{n}"] = found.get(f"synops{n}", 0) + sent
                sent = sum(b != 0 for b in offsets) * biased[n]
                found[f"bias{n}"] = found.get(f"bias{n}", 0) + sent
                found[f"spikes{n}"] = found.get(f"spikes{n}", 0) + sum(now[-1])
            before, bias_before = now, biased
    return found


def test_on_chip_equals_plain_integers() -> None:
    made = chain()
    run, expected = counted(made), by_hand(made)
    names = ["input", *made.names]
    for n, name in enumerate(made.names):
        assert run["populations"][name]["spikes"] == expected[f"spikes{n}"]
        for source, key in ((names[n], f"synops{n}"), (f"bias{n}", f"bias{n}")):
            synops = sum(
                run["projections"][f"{source}->{name} {sign}"]["synops"]
                for sign in ("excitatory", "inhibitory")
            )
            assert synops == expected[key]
    assert sum(expected[f"spikes{n}"] for n in range(3)) > 50
    assert run["samples"] == 6
    assert run["executed_steps"] == 7
    neurons = 6 + 3 + 9 + 7 + 2
    updates = sum(p["neuron_updates"] for p in run["populations"].values())
    assert updates == neurons * 7 * 6
    sources = run["traffic"]["sources"]
    assert sources["hidden1"]["messages"] == 2 * expected["spikes0"]
    assert sources["output"]["messages"] == 0


def test_input_and_bias_schedule() -> None:
    stimulus = _stimulus(chain())
    spikes = stimulus["input"].reshape(2, 3, 7, 6)
    assert spikes[:, :, :4].any()
    assert not spikes[:, :, 4:].any()
    # One channel of the pair is silent in each inference.
    assert not (spikes[..., 0].any(axis=2) & spikes[..., 1].any(axis=2)).any()
    for layer in range(3):
        bias = stimulus[f"bias{layer}"].reshape(2, 3, 7)[0, 0].tolist()
        assert [t for t, s in enumerate(bias) if s] == list(range(layer, layer + 4))


def test_in_float_equals_loops() -> None:
    from slipway.profiles.rebuild import _drawn

    made = chain("float", 0)
    run = counted(made)
    sent = [0, 0, 0]
    for sample in _drawn(made).reshape(-1, 4, 6):
        u: list[Any] = [np.zeros(len(w)) for w in made.weights]
        v: list[Any] = [np.zeros(len(w)) for w in made.weights]
        for step in sample:
            x = step.astype(float)
            for n, (weight, bias) in enumerate(zip(made.weights, made.biases, strict=True)):
                u[n] = 0.5 * u[n] + weight @ x + bias
                v[n] = 0.75 * v[n] + u[n]
                x = (v[n] > 0.5).astype(float)
                v[n] = np.where(x > 0, 0.0, v[n])
                sent[n] += int(x.sum())
    assert [run["populations"][name]["spikes"] for name in made.names] == sent
    assert run["projections"]["hidden1->hidden2"]["synops"] == 7 * sent[0]


@needs_weights
@pytest.mark.parametrize(
    ("name", "synops", "bias"),
    [
        ("sddpg_T5", 564_908, 3_805),
        ("sddpg_T10", 992_746, 7_610),
        ("sddpg_T25", 2_279_937, 19_025),
        ("sddpg_T50", 4_430_581, 38_050),
    ],
)
def test_counts_of_the_reference(name: str, synops: int, bias: int) -> None:
    """energy-validation.md section 3, scenario A, U. Draws differ, so 2 % apart at most."""
    run = run_of_row(*_row(name, {}))
    projections = run["projections"].items()
    biased = sum(p["synops"] for k, p in projections if k.startswith("bias"))
    others = sum(p["synops"] for k, p in projections if not k.startswith("bias"))
    assert biased == bias * run["samples"]
    assert others / run["samples"] == pytest.approx(synops, rel=0.02)
    assert sum(p["neurons"] for p in run["populations"].values()) == 798
    synapses = sum(p["synapses"] for k, p in projections if not k.startswith("bias"))
    assert synapses == 134_432


def _row(name: str, changes: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    row = load_row(ROWS / f"{name}.toml")
    return row, changed(row.values, changes)


@needs_weights
def test_ratios_of_the_reference() -> None:
    rows = [load_row(ROWS / "sddpg_T5.toml")]
    found = {entry["cost_model"]: entry for entry in validate(rows)["rows"]}
    expected = {
        "loihi1_davies": {
            "U": 0.90,
            "r = 0.1": 0.645,
            "r = 0.3": 0.795,
            "B": 0.62,
            "B 0.1": 0.43,
        },
        "loihi1_sanafe": {"U": 1.40, "r = 0.1": 1.00, "r = 0.3": 1.24, "B": 0.96},
    }
    for model, ratios in expected.items():
        entry = found[model]
        variants = {v["label"]: v["ratio"] for v in entry["variations"]}
        ours = {
            "U": entry["ratio"],
            "r = 0.1": variants["r = 0.1"],
            "r = 0.3": variants["r = 0.3"],
            "B": next(v for k, v in variants.items() if k.startswith("B, float")),
            "B 0.1": variants["B with r = 0.1"],
        }
        for key, ratio in ratios.items():
            assert ours[key] == pytest.approx(ratio, abs=0.03), (model, key)
        assert entry["status"] == "within"
