"""How much of a core's memory lists of synapses take, by the formulas of the open compilers.

A list holds the synapses with non-zero weights that one source element has on one core, in the
order of their targets. What the formulas need of it is measured by the kernel (lists.py).

Sources: "nengo-loihi": `block.py` SynapseConfig.bits_per_axon @e564f66; "nxtf":
intel-nrc-ecosystem/models, `data_structures.py` and `synapse_compression.py` @3dc53bf;
"synmem": derived from two rows of compiler tables, see the target file of Loihi 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..targets import Memory

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Lists:
    """Measures of lists, each int64 (lists,).

    Attributes:
        synapses: with non-zero weights.
        span: targets from the first to the last one.
        entries, stored: of the dense format: entries, and weights with the zeros that fill
            gaps (a gap is filled where that takes no more bits than another entry).
        runs: entries of the run-length format: a new one after a gap that no skip field holds.
        skip: the longest distance of two targets within a run.
    """

    synapses: Array
    span: Array
    entries: Array
    stored: Array
    runs: Array
    skip: Array


@dataclass(frozen=True, slots=True)
class Widths:
    """Bits of the fields of a synapse; `index` may differ by list."""

    weight: int
    delay: int
    index: Array


def legal_width(bits: Any, legal: tuple[int, ...]) -> Array:
    """The least legal width that holds so many bits; the widest one where none does."""
    table = np.asarray(legal)
    return np.asarray(table[np.minimum(np.searchsorted(table, bits), table.size - 1)])


def index_bits(memory: Memory, neurons: Any) -> Array:
    """Width of an index into the neurons of a core."""
    most = np.maximum(np.asarray(neurons) - 1, 0)
    return legal_width(_bit_length(most), memory.index_bits)


def fill_limit(memory: Memory, widths: Widths) -> Array:
    """The longest gap of zeros that costs no more than a new entry."""
    return np.asarray(
        (memory.header_bits + widths.index) // max(1, widths.weight + widths.delay)
    )


def sizes(memory: Memory, lists: Lists, widths: Widths) -> dict[str, Array]:
    """Compression -> bits of each list, for the compressions that the target has."""
    found = _FORMULAS[memory.formula](memory, lists, widths)
    return {name: found[name] for name in memory.compressions}


def _nengo_loihi(memory: Memory, lists: Lists, widths: Widths) -> dict[str, Array]:
    """Blocks of at most `synapses_per_entry`, each rounded up to 64 bit."""
    own = widths.weight + widths.delay

    def blocks(n: Array, bits: Any) -> Array:
        full, rest = np.divmod(n, memory.synapses_per_entry)
        header = memory.header_bits
        last = np.where(rest > 0, _words(rest * bits + header), 0)
        return np.asarray(
            64 * (full * _words(memory.synapses_per_entry * bits + header) + last)
        )

    return {
        "dense": blocks(lists.span, own),
        "sparse": blocks(lists.synapses, own + widths.index),
    }


def _nxtf(memory: Memory, lists: Lists, widths: Widths) -> dict[str, Array]:
    """Entries of one list lie without gaps; the list is rounded up to words of 64 bit."""
    own, n = widths.weight + widths.delay, lists.synapses
    head = memory.header_bits
    entries = -(-n // memory.synapses_per_entry)
    skip = legal_width(_bit_length(lists.skip), memory.skip_bits)
    bits = {
        "dense": lists.entries * (head + widths.index) + lists.stored * own,
        "sparse": entries * head + n * (own + widths.index),
        "run-length": lists.runs * (head + widths.index) + n * (own + skip),
    }
    return {name: 64 * _nxtf_words(b) for name, b in bits.items()}


def _nxtf_words(bits: Array) -> Array:
    """One more word where nothing, or less than a prefix of 5 bits, is left of the last."""
    rest = bits % 64
    return np.asarray(_words(bits) + ((rest == 0) | (rest >= 59)))


def _synmem(memory: Memory, lists: Lists, widths: Widths) -> dict[str, Array]:
    """Units of 32 bit, in pairs; one header a list."""
    own, head = widths.weight + widths.delay, memory.header_bits
    return {
        "dense": 64 * _words(lists.span * own + head),
        "sparse": 64 * _words(lists.synapses * (own + widths.index) + head),
    }


_FORMULAS: dict[str, Callable[[Memory, Lists, Widths], dict[str, Array]]] = {
    "nengo-loihi": _nengo_loihi,
    "nxtf": _nxtf,
    "synmem": _synmem,
}


def _words(bits: Any) -> Array:
    return np.asarray(-(-np.asarray(bits) // 64))


def _bit_length(values: Any) -> Array:
    """Bits of whole numbers from 0 on."""
    return np.asarray(np.ceil(np.log2(np.asarray(values, np.float64) + 1)), np.int64)
