"""The values of an estimate: bands, terms of the breakdown, latency."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import fsum

# Keys of the breakdown, in the order in which they are shown.
TERMS = ("synapse", "neuron", "axon_out", "noc", "barrier", "io", "static", "encoding")

# From the strongest to the weakest.
EVIDENCE = ("measured", "simulated", "derived", "unverified")


@dataclass(frozen=True, slots=True)
class Band:
    """A figure with its range; low <= nominal <= high.

    Attributes:
        low, nominal, high: in SI units (joule, second).
    """

    low: float
    nominal: float
    high: float

    def scaled(self, factor: float) -> Band:
        """The band times a count that is not negative."""
        return Band(self.low * factor, self.nominal * factor, self.high * factor)

    def times(self, other: Band) -> Band:
        """Low times low, nominal times nominal, high times high."""
        return Band(self.low * other.low, self.nominal * other.nominal, self.high * other.high)

    def as_json(self, suffix: str = "") -> dict[str, float]:
        """Keys low, nominal, high, each with the suffix."""
        return {
            f"low{suffix}": self.low,
            f"nominal{suffix}": self.nominal,
            f"high{suffix}": self.high,
        }


def total(bands: Iterable[Band]) -> Band:
    """The sum of lows, of nominals and of highs."""
    found = list(bands)
    return Band(
        fsum(b.low for b in found), fsum(b.nominal for b in found), fsum(b.high for b in found)
    )


@dataclass(frozen=True, slots=True)
class Term:
    """One row of the breakdown, per inference.

    Attributes:
        energy: joule; None if the term has no price or no count.
        grade: weakest evidence of the constants in it; None if not priced.
        reason: why it has no price; empty if it has one.
    """

    energy: Band | None
    grade: str | None = None
    reason: str = ""

    @property
    def priced(self) -> bool:
        """Whether the term is in the total."""
        return self.energy is not None


@dataclass(frozen=True, slots=True)
class Latency:
    """Time of one inference.

    Attributes:
        inference: seconds per inference.
        step: seconds per executed step, the mean over steps.
        cores, chips, tiles: in use; without a placement the least that hold all neurons.
        busiest: populations on the busiest core.
        binding: which of synapse, neuron, message or barrier takes most of a nominal step.
        share: its share of the nominal step, 0 to 1.
        placed: from the profile of a placed run; False: three stated scenarios.
        basis: how the time was found, one sentence each.
        busiest_core: chip_idx and core_idx of the busiest core; None without a placement.
    """

    inference: Band
    step: Band
    cores: int
    chips: int
    busiest: str
    binding: str
    share: float
    tiles: int = 1
    placed: bool = False
    basis: tuple[str, ...] = ()
    busiest_core: tuple[int, int] | None = None

    @property
    def throughput(self) -> Band:
        """Inferences per second, one after the other."""
        return Band(*(1 / t if t else 0.0 for t in reversed(_ends(self.inference))))


@dataclass(frozen=True, slots=True)
class Estimate:
    """Counts times one cost model, per inference.

    Attributes:
        model: name of the cost model.
        terms: every key of TERMS.
        dynamic: sum of all priced terms but static, joule.
        total: dynamic and static, joule.
        latency: None where the model has no time.
        no_latency: why.
        parts: name of a population or projection -> term -> joule. A population has the
            energy of its neurons and of the messages that it sends.
        network: term -> joule of what belongs to no layer. With `parts` it sums to the
            dynamic energy.
        populations, projections: sums of `parts`, joule.
        used: names of the constants that were multiplied with something.
        grade: weakest evidence of any priced term.
        assumptions: one sentence each.
        details: the dynamic energy split in another way that the model knows, joule.
    """

    model: str
    terms: Mapping[str, Term]
    dynamic: Band
    total: Band
    latency: Latency | None
    no_latency: str
    parts: Mapping[str, Mapping[str, Band]]
    network: Mapping[str, Band]
    populations: Mapping[str, Band]
    projections: Mapping[str, Band]
    used: tuple[str, ...]
    grade: str
    assumptions: tuple[str, ...] = ()
    details: Mapping[str, Band] = field(default_factory=dict)

    @property
    def energy_delay(self) -> Band | None:
        """Total energy times latency, joule second; None where there is no latency."""
        return self.total.times(self.latency.inference) if self.latency else None

    @property
    def partial(self) -> bool:
        """Whether any term has no price or no count."""
        return not all(term.priced for term in self.terms.values())


def _ends(band: Band) -> tuple[float, float, float]:
    return band.low, band.nominal, band.high


def assemble(
    *,
    model: str,
    terms: Mapping[str, Term],
    unpriced: Mapping[str, str],
    latency: Latency | None,
    no_latency: str,
    populations: Mapping[str, Mapping[str, Band]],
    projections: Mapping[str, Mapping[str, Band]],
    used: Iterable[str],
    assumptions: Iterable[str],
    network: Mapping[str, Band] | None = None,
    details: Mapping[str, Band] | None = None,
) -> Estimate:
    """An Estimate with its sums: dynamic is all that is priced but static."""
    missing = "this model does not price it"
    complete = {
        key: terms.get(key) or Term(None, reason=unpriced.get(key, missing)) for key in TERMS
    }
    energies = {key: t.energy for key, t in complete.items() if t.energy is not None}
    return Estimate(
        model=model,
        terms=complete,
        dynamic=total(energy for key, energy in energies.items() if key != "static"),
        total=total(energies.values()),
        latency=latency,
        no_latency="" if latency else no_latency,
        parts={**populations, **projections},
        network=dict(network or {}),
        populations={name: total(part.values()) for name, part in populations.items()},
        projections={name: total(part.values()) for name, part in projections.items()},
        used=tuple(used),
        grade=weakest(t.grade for t in complete.values() if t.grade),
        assumptions=tuple(assumptions),
        details=dict(details or {}),
    )


def weakest(grades: Iterable[str]) -> str:
    """The weakest of some evidence grades; `unverified` for none."""
    found = list(grades)
    return max(found, key=EVIDENCE.index) if found else EVIDENCE[-1]
