"""The figures as tables on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from slipway.cli.tables import percent, print_table
from slipway.profiles.figures import quantity

_WIDTH = 120


def print_results(results: Mapping[str, Any]) -> None:
    """Machine, ratios, times, rates, and how the time grows."""
    console = Console(width=_WIDTH, highlight=False)
    machine, networks = results["machine"], results["networks"]
    console.print(
        f"\n{machine['cpu']}, {machine['cores']} cores, {machine['date']}: memory "
        f"{quantity(machine['memory_bytes_per_second'], 'B/s')}, int16 additions "
        f"{machine['integer_adds_per_second'] / 1e9:.0f} G/s\n"
    )
    _ratios(console, networks)
    _times(console, networks)
    _rates(console, networks)
    if results.get("scaling"):
        _scaling(console, results["scaling"])


def _ratios(console: Console, networks: Mapping[str, Any]) -> None:
    console.print("times faster than Lava on a data set and on one sample, and than float\n")
    columns = (
        "",
        ">Lava",
        ">one",
        ">unrolled",
        ">one",
        ">float",
        ">which",
        ">equal bits",
        ">events/s",
        ">of limit",
        ">peak",
        ">counting",
        ">first ever",
    )
    rows = [
        (
            key,
            _times_faster(each["lava_throughput_ratio"]),
            _times_faster(each["lava_b1_ratio"]),
            _times_faster(each["lava_sparse_throughput_ratio"]),
            _times_faster(each["lava_sparse_b1_ratio"]),
            _times_faster(each["best_float_framework_ratio"]),
            each["best_float_framework"],
            _bits(each),
            quantity(each["synaptic_events_per_second"], ""),
            percent(each["share_of_limit"]),
            quantity(each["peak_bytes"], "B"),
            percent(each["counting_cost"]),
            quantity(each["cold_run_seconds"], "s"),
        )
        for key, each in networks.items()
    ]
    print_table(console, columns, rows)


def _times_faster(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:,.0f}" if ratio >= 20 else f"{ratio:.2f}"


def _bits(each: Mapping[str, Any]) -> str:
    """Whether they are equal, and whom with."""
    norms = [name for name in ("reference", "lava") if each["compared"][name]]
    return f"{'yes' if each['equal_bits'] else 'NO'} ({', '.join(norms)})"


def _times(console: Console, networks: Mapping[str, Any]) -> None:
    times = {key: each["milliseconds_per_sample_step"] for key, each in networks.items()}
    names = _in_order(times.values())
    rows = [
        (name, *(times[key].get(name) for key in networks), _worst(name, networks.values()))
        for name in names
    ]
    columns = ("ms a sample and step", *(f">{key}" for key in networks), ">spread up to")
    print_table(console, columns, rows)


def _worst(name: str, networks: Iterable[Mapping[str, Any]]) -> str:
    return percent(max(each["spread"].get(name, 0.0) for each in networks))


def _in_order(groups: Iterable[Mapping[str, Any]]) -> list[str]:
    """All names, in the order in which they first occur."""
    return list(dict.fromkeys(name for group in groups for name in group))


def _rates(console: Console, networks: Mapping[str, Any]) -> None:
    rows = [
        (
            key,
            each["title"],
            ", ".join(f"{name} {100 * rate:.1f}" for name, rate in each["rates"].items()),
        )
        for key, each in networks.items()
    ]
    print_table(console, ("", "", "messages per 100 neurons and presented step"), rows)


def _scaling(console: Console, scaling: Mapping[str, Any]) -> None:
    rows = [
        (
            name,
            ", ".join(
                f"{value:g}: {time:.3g}"
                for value, time in zip(each["values"], each["milliseconds"], strict=True)
            ),
            percent(each["largest_deviation"]),
        )
        for name, each in scaling.items()
    ]
    print_table(console, ("time grows with", "value: ms", ">off a line by up to"), rows)
