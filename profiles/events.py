"""Pricing by events: each constant of the model times the count that it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .costs import Constant, CostModel
from .counts import Activity, Counts, Layer
from .latency import has_chip_barrier, latency_of
from .quantities import NETWORK, POPULATION, PROJECTION, TRAFFIC, traffic
from .terms import Band, Estimate, Latency, Term, assemble, total, weakest

Named = tuple[str, Constant]
Parts = dict[str, dict[str, Band]]

NO_TRAFFIC = "no count: the run has no placement, so messages and hops are not known"
OTHER_CORES = (
    "no count: the network was placed for {target}, whose cores are not those of {device}; "
    "compile and run it for {device}"
)


def price(counts: Counts, model: CostModel, latency: Latency | None = None) -> Estimate:
    """Counts times the prices of the model, per inference.

    term = sum over its constants of price x count / samples; static = power x chips x latency.
    Neuron terms run from no update to every update active, whichever is less and more.

    Args:
        counts: of a run.
        model: the prices.
        latency: where it is known already.
    """
    energies = [(k, c) for k, c in model.constants.items() if c.unit == "joule"]
    per_inference = 1 / counts.samples
    missing = _missing(counts, energies, model.device)
    priced = [(k, c) for k, c in energies if c.term not in missing]
    projections = _projections(counts, _counting(priced, PROJECTION), per_inference)
    populations = _populations(counts, priced, per_inference)
    network = _network(counts, _counting(priced, NETWORK), per_inference)
    terms = {
        key: Term(
            total(
                p[key]
                for p in (*projections.values(), *populations.values(), network)
                if key in p
            ),
            weakest(c.evidence for _, c in priced if c.term == key),
        )
        for key in dict.fromkeys(c.term for _, c in priced)
    }
    used = [k for k, c in priced if _occurs(counts, c)]
    assumptions = list(_activity(counts, priced))
    if latency is None and model.timed:
        latency = latency_of(counts, model)
    if latency is not None:
        used += [k for k, c in model.constants.items() if _in_time(counts, model, c, latency)]
        assumptions += _time(model, latency)
        powers = [(k, c) for k, c in model.constants.items() if c.unit == "watt"]
        if powers:
            used += [k for k, _ in powers]
            terms["static"] = _static([c for _, c in powers], latency)
    return assemble(
        model=model.name,
        terms=terms,
        unpriced={**model.unpriced, **missing},
        latency=latency,
        no_latency=f"{model.name} prices no time",
        populations=populations,
        projections=projections,
        network=network,
        used=used,
        assumptions=(*model.assumptions, *assumptions),
    )


def _counting(constants: Iterable[Named], names: Mapping[str, object]) -> list[Constant]:
    return [c for _, c in constants if c.counts in names]


def _missing(counts: Counts, energies: Sequence[Named], device: str) -> dict[str, str]:
    """Terms of which some count is not in the run: they are not priced in part."""
    found = {}
    for name, constant in energies:
        key = constant.counts
        if key in TRAFFIC:
            values = [traffic(counts, layer.name, key) for layer in counts.layers]
            lacking = None in values
        else:
            lacking = key in NETWORK and NETWORK[key](counts) is None
        if lacking and (counts.traffic or counts.placed):
            found[constant.term] = f"no count: the run does not state {key} ({name})"
        elif lacking and counts.target:
            found[constant.term] = OTHER_CORES.format(target=counts.target, device=device)
        elif lacking:
            found[constant.term] = NO_TRAFFIC
    return found


def _projections(counts: Counts, constants: Sequence[Constant], scale: float) -> Parts:
    found: Parts = {}
    for stream in counts.streams:
        found[stream.name] = {
            term: total(
                c.price.scaled(PROJECTION[c.counts](stream) * scale)
                for c in constants
                if c.term == term
            )
            for term in dict.fromkeys(c.term for c in constants)
        }
    return found


def _populations(counts: Counts, priced: Sequence[Named], scale: float) -> Parts:
    neurons, messages = _counting(priced, POPULATION), _counting(priced, TRAFFIC)
    found: Parts = {}
    for layer in counts.layers:
        bands: dict[str, list[Band]] = {}
        for term in dict.fromkeys(c.term for c in neurons):
            own = [c for c in neurons if c.term == term]
            bands[term] = [_updates(layer, own).scaled(scale)]
        for c in messages:
            count = traffic(counts, layer.name, c.counts) or 0
            bands.setdefault(c.term, []).append(c.price.scaled(count * scale))
        found[layer.name] = {term: total(values) for term, values in bands.items()}
    return found


def _updates(layer: Layer, constants: Sequence[Constant]) -> Band:
    return layer.over_activity(
        lambda activity: total(
            c.price.scaled(POPULATION[c.counts](layer, activity)) for c in constants
        )
    )


def _network(counts: Counts, constants: Sequence[Constant], scale: float) -> dict[str, Band]:
    bands: dict[str, list[Band]] = {}
    for c in constants:
        bands.setdefault(c.term, []).append(
            c.price.scaled((NETWORK[c.counts](counts) or 0) * scale)
        )
    return {term: total(values) for term, values in bands.items()}


def _static(powers: Sequence[Constant], latency: Latency) -> Term:
    watts = total(c.price for c in powers)
    energy = watts.times(latency.inference).scaled(latency.chips)
    # The latency is modelled: never better than derived.
    return Term(energy, weakest((*(c.evidence for c in powers), "derived")))


def _occurs(counts: Counts, constant: Constant) -> bool:
    """Whether the run has any event that the constant prices."""
    key = constant.counts
    if key in PROJECTION:
        return any(PROJECTION[key](s) for s in counts.streams)
    if key in POPULATION:
        return any(
            POPULATION[key](layer, Activity(active, active))
            for layer in counts.layers
            for active in (0, layer.updates)
        )
    if key in TRAFFIC:
        return any(traffic(counts, layer.name, key) for layer in counts.layers)
    return bool(NETWORK[key](counts))


def _in_time(counts: Counts, model: CostModel, constant: Constant, latency: Latency) -> bool:
    if constant.unit != "second":
        return False
    if constant.counts == "steps":
        return bool(constant.chips) == (latency.chips > 1 and has_chip_barrier(model))
    if constant.counts in ("messages", "messages_received"):
        return latency.placed
    return _occurs(counts, constant)


def _activity(counts: Counts, priced: Sequence[Named]) -> Iterable[str]:
    if not any(c.counts.startswith("neuron_updates_") for _, c in priced):
        return
    least = sum(layer.active[0] for layer in counts.layers)
    most = sum(layer.active[1] for layer in counts.layers)
    updates = sum(layer.updates for layer in counts.layers)
    origins = {layer.active_from for layer in counts.layers}
    if origins == {"counted"}:
        yield f"Neuron updates: {least:,} of {updates:,} are active, as counted."
    elif origins == {"profile"}:
        busy = sum(layer.busy for layer in counts.layers)
        yield (
            "Neuron updates are active if the neuron spikes or receives input: "
            f"{100 * busy / updates:.2f} % of them, as counted in the first "
            f"{counts.profiled} samples. Low has all inactive, high all active."
        )
    else:
        yield (
            "Neuron updates are active if the neuron spikes or receives input. Only bounds "
            f"are counted: {least:,} to {most:,} of {updates:,} (spikes; spikes plus incoming "
            "synops). Nominal is the middle of these bounds; low has all updates inactive, "
            "high all active."
        )


def _time(model: CostModel, latency: Latency) -> list[str]:
    texts = list(latency.basis)
    if any(c.unit == "watt" for c in model.constants.values()):
        chips = "chip" if latency.chips == 1 else "chips"
        texts.append(
            f"Static power of {latency.chips} whole {chips} "
            "from the first to the last step of an inference: no idle time between inferences, "
            "no share of a chip taken off."
        )
    return texts
