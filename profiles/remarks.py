"""What a reader must know before believing the figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .costs import CostModel
from .figures import accuracy, percent, plain, short, times
from .terms import Estimate

# Mean spikes per neuron and step above which an ANN of equal resolution is cheaper, by
# Yan et al., arXiv 2409.08290 v2-v3 (v4: 5.7 %, at T = 5).
RATE_LIMIT = 0.064
RATE_LIMIT_STRICT = 0.057
# Spikes per synapse and inference, Dampfhoffer et al., TETCI 7(3):731, 2023.
SPIKES_PER_SYNAPSE = (0.15, 1.38)
FEWEST_SAMPLES = 100
LARGEST_DROP = 0.01
LARGEST_IMBALANCE = 2.0

# Codes of what is no fault of the run, and no surprise.
NOTES = ("fewer_samples", "other_placement", "other_process", "zero_weights", "encoding")


def fits(device: str, target: str | None) -> bool:
    """Whether a target is the device of a model, or a variant of it: "loihi2-netx"."""
    return target is not None and (target == device or target.startswith(f"{device}-"))


def warnings_of(
    runs: Sequence[Mapping[str, Any]],
    priced: Sequence[tuple[CostModel, Estimate]],
    *,
    spike_rate: float | None,
    entries: Sequence[Mapping[str, Any]],
    placement: Mapping[str, Any] | None = None,
    baseline: Mapping[str, Any] | None = None,
) -> list[dict[str, str]]:
    """Code, level and text of all that is true of this report.

    Level "warning" is what may mislead, "note" what holds for nearly every report.
    """
    run = runs[0]
    found = [
        *_rate(spike_rate),
        *_samples(run),
        *_accuracy(entries),
        *_numbers(run),
        *_placements(runs, entries),
        *_baseline(baseline),
        *_balance(placement),
    ]
    found += _devices(run, priced)
    for model, estimate in priced:
        found += _model(model, estimate)
    found += _zero_weights(run, priced)
    found += _encoding(priced)
    warnings = [
        {"code": code, "level": "note" if code in NOTES else "warning", "text": text}
        for code, text in found
    ]
    return sorted(warnings, key=lambda warning: warning["level"], reverse=True)


def _rate(rate: float | None) -> list[tuple[str, str]]:
    if rate is None or rate <= RATE_LIMIT:
        return []
    text = (
        f"The mean spike rate is {percent(rate)} per neuron and step, above 6.4 %: a quantised "
        "dense network of equal resolution may need less energy (Yan et al., arXiv 2409.08290)."
    )
    return [("spike_rate", text)]


def _placements(
    runs: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """Time with a placement and time without one rest on other assumptions."""
    placed = bool(runs[0].get("placement"))
    others = [
        entry["label"]
        for run, entry in zip(runs[1:], entries[1:], strict=True)
        if bool(run.get("placement")) is not placed
    ]
    if not others:
        return []
    text = (
        f"{'; '.join(others)}: {'not ' if placed else ''}placed on cores, unlike the main run. "
        "Energy and time of these runs cannot be compared; counts can."
    )
    return [("other_placement", text)]


def _baseline(baseline: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if not baseline or baseline["cheaper"] != "dense":
        return []
    text = "The same network, dense and of 8 bits, costs less under the same memory model"
    if baseline["ratio"]:
        text += f": the spiking one needs {times(baseline['ratio'])} its energy"
    return [("dense_cheaper", f"{text}.")]


def _samples(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    if run["samples"] >= FEWEST_SAMPLES:
        return []
    text = f"Only {run['samples']} samples: fewer than 100 say little about accuracy and rates."
    return [("few_samples", text)]


def _accuracy(entries: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    main = entries[0]
    found = []
    for other in entries[1:]:
        shared, there = other["shared"], other["main_accuracy_on_shared"]
        if other["same_samples"] is False and not shared:
            text = f"{other['label']} saw other samples than the main run: do not compare."
            found.append(("other_samples", text))
        elif other["same_samples"] is False:
            text = (
                f"{other['label']} and the main run share their first {shared:,} samples only; "
                f"on these they reach {accuracy(other['accuracy_on_shared'])} and "
                f"{accuracy(there)}."
            )
            found.append(("fewer_samples", text))
        as_float = other["precision"] == "float" and main["precision"] != "float"
        enough = other["same_samples"] is True or shared >= FEWEST_SAMPLES
        if not as_float or not enough or None in (there, other["accuracy_on_shared"]):
            continue
        drop = other["accuracy_on_shared"] - there
        if drop > LARGEST_DROP + 1e-12:
            text = (
                f"Accuracy is {100 * drop:.1f} points below that of {other['label']} on the "
                "same samples."
            )
            found.append(("accuracy_drop", text))
    return found


def _numbers(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    saturated = sum(_integer(entry.get("saturated")) for entry in run["populations"].values())
    if saturated:
        text = f"A state saturated in {saturated:,} neuron updates of this run."
        found.append(("saturation", text))
    clipped = _integer(run.get("clipped"))
    if clipped:
        text = f"{clipped:,} input values were clipped to the legal range."
        found.append(("clipped_input", text))
    if run["precision"] == "float":
        text = "The counts come from a floating-point run; the hardware would run integers."
        found.append(("float_counts", text))
    return found


def _balance(placement: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    load = placement["balance"]["syn_ops"] if placement else None
    if not load or not load["ratio"] or load["ratio"] <= LARGEST_IMBALANCE:
        return []
    names = ", ".join(short(name, 30) for name in list(load["busiest"]["populations"])[:3])
    text = (
        f"The busiest core ({names}) does {times(load['ratio'])} the synops of the mean "
        "core: it sets the time of a step while the others wait."
    )
    return [("imbalance", text)]


def _devices(
    run: Mapping[str, Any], priced: Sequence[tuple[CostModel, Estimate]]
) -> list[tuple[str, str]]:
    """Models of another chip may mislead; those of a process are meant to stand beside."""
    target = run.get("target")
    found = []
    for code, timed in (("other_device", True), ("other_process", False)):
        others = [
            f"{m.name} ({plain(m.device)})"
            for m, e in priced
            if not fits(m.device, target) and (e.latency is not None) is timed
        ]
        if others:
            text = (
                f"The program was compiled for {plain(target or 'an unnamed target')}; "
                f"{' and '.join(others)} {'prices' if len(others) == 1 else 'price'} "
                f"{'another device' if timed else 'operations of a process, not this device'}."
            )
            found.append((code, text))
    return found


def _zero_weights(
    run: Mapping[str, Any], priced: Sequence[tuple[CostModel, Estimate]]
) -> list[tuple[str, str]]:
    """Some models price sparse weights as dense."""
    synops, every = (
        sum(entry[key] for entry in run["projections"].values())
        for key in ("synops", "synops_all")
    )
    names = [
        m.name
        for m, _ in priced
        if m.method == "memory" or any(c.counts == "synops_all" for c in m.constants.values())
    ]
    if synops == every or not names:
        return []
    verb = "prices" if len(names) == 1 else "price"
    share = percent(1 - synops / every, 2)
    text = (
        f"{' and '.join(names)} {verb} sparse weights as dense: {share} of the operations "
        "counted there meet a weight of zero."
    )
    return [("zero_weights", text)]


def _encoding(priced: Sequence[tuple[CostModel, Estimate]]) -> list[tuple[str, str]]:
    names = [m.name for m, e in priced if not e.terms["encoding"].priced]
    text = f"Encoding of the input is not priced ({', '.join(names)})."
    return [("encoding", text)] if names else []


def _model(model: CostModel, estimate: Estimate) -> list[tuple[str, str]]:
    found = []
    static = estimate.terms["static"].energy
    if static is not None and static.nominal > 0.5 * estimate.total.nominal:
        share = percent(static.nominal / estimate.total.nominal, 2)
        text = (
            f"{model.name}: static power is {share} of the total. The time of an inference"
            f"{_assumed(estimate)} decides this figure."
        )
        found.append(("static_share", text))
    if estimate.latency is not None and estimate.latency.chips > 1:
        what = "the network lies on" if estimate.latency.placed else "the neurons alone need"
        text = (
            f"{model.name}: {what} {estimate.latency.chips} chips; time and energy of messages "
            "between chips are not in the figures."
        )
        found.append(("several_chips", text))
    return found


def _assumed(estimate: Estimate) -> str:
    placed = estimate.latency is not None and estimate.latency.placed
    return "" if placed else ", which rests on an assumed placement,"


def _integer(value: Any) -> int:
    return value if isinstance(value, int) else 0
