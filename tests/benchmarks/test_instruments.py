"""What measures: clocks, limits, children, the line through the times, the plot."""

from __future__ import annotations

import os
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from slipway.benchmarks import lava, limits, peak, plot, scaling
from slipway.benchmarks.networks import Network
from slipway.benchmarks.timing import extra, in_turns
from slipway.deploy.trace import Stimulus

needs_lava = pytest.mark.skipif(not lava.usable(), reason="Lava is not installed")


def test_contenders_take_turns() -> None:
    calls: list[str] = []

    def contender(name: str, seconds: list[float]) -> Any:
        def call() -> float:
            calls.append(name)
            return seconds[calls.count(name) - 1]

        return call

    times = in_turns({"a": contender("a", [3, 1, 2]), "b": contender("b", [5, 5, 5])}, 3)
    assert calls == ["a", "b"] * 3
    assert (times["a"].seconds, times["a"].spread) == (2, 1.0)
    assert (times["b"].seconds, times["b"].spread) == (5, 0.0)


def test_an_impatient_comparison_still_takes_three_turns() -> None:
    calls: list[int] = []

    def call() -> float:
        calls.append(1)
        return 1.0

    in_turns({"a": call}, repetitions=9, budget=0.0)
    assert len(calls) == 3


def test_extra_is_what_one_of_two_calls_takes_more() -> None:
    def busy(seconds: float) -> Callable[[], None]:
        def call() -> None:
            started = time.process_time()
            while time.process_time() - started < seconds:
                pass

        return call

    found = extra(busy(0.015), busy(0.01), pairs=5)
    assert found.processor == pytest.approx(0.5, abs=0.1)
    low, high = found.spread
    assert low <= found.processor <= high
    idle = extra(lambda: time.sleep(0.02), lambda: time.sleep(0.01), pairs=5)
    assert idle.clock == pytest.approx(1.0, abs=0.2)


def test_the_kernels_do_the_work_that_is_counted() -> None:
    table = np.random.default_rng(0).integers(-64, 66, (8, 32)).astype(np.int8)
    total = np.zeros(32, np.int16)
    limits._add(table, np.arange(8), total, 3)
    assert np.array_equal(total, 3 * table.sum(axis=0, dtype=np.int16))
    values = np.random.default_rng(0).integers(0, 2**40, 1000)
    assert limits._read(values) == np.bitwise_xor.reduce(values)


def test_limits_are_those_of_some_machine() -> None:
    assert 1e8 < limits.memory_bandwidth(2**26) < 1e13
    assert 1e8 < limits.integer_adds(2**8) < 1e14


def test_the_first_run_ever_compiles(tiny: Network) -> None:
    one = tiny.stimulus(1, 8)
    warm = min(float(peak._child(tiny.program, one, os.environ)[1]) for _ in range(2))
    assert peak.cold_seconds(tiny.program, one) > 3 * warm


def test_peak_memory_is_the_child_s_own(tiny: Network) -> None:
    ballast = np.ones(2**27, np.uint8)  # the parent's peak must not count
    few = peak.peak_bytes(tiny.program, tiny.stimulus(1, 8))
    silent = np.zeros((2**16, 24, 20), np.uint8)
    many = peak.peak_bytes(tiny.program, Stimulus({"input": silent}, 24))
    assert 2**24 < few < 2**29
    assert many - few > 0.9 * silent.nbytes
    assert ballast.all()


@needs_lava
def test_lava_s_step_is_timed(tiny: Network) -> None:
    assert lava.ways(tiny.program) == {"lava": "conv"}
    assert 1e-5 < lava.seconds_per_step(tiny.program, tiny.stimulus(1, 8), 20) < 1


@needs_lava
def test_convolutions_are_timed_in_both_ways(built: dict[str, Network]) -> None:
    assert lava.ways(built["b"].program) == {"lava": "conv", "lava_sparse": "sparse"}


@needs_lava
def test_a_failing_child_is_an_error(tiny: Network, capfd: pytest.CaptureFixture[str]) -> None:
    wrong: Any = "nonsense"
    with pytest.raises(subprocess.CalledProcessError):
        lava.seconds_per_step(tiny.program, tiny.stimulus(1, 8), 20, wrong)
    assert "KeyError: 'nonsense'" in capfd.readouterr().err


def test_a_line_is_found_and_the_worst_distance_from_it() -> None:
    x = (1.0, 2.0, 4.0, 8.0)
    exact = scaling.fit(x, 3 + 2 * np.array(x))
    assert exact == pytest.approx(
        {"slope": 2.0, "intercept": 3.0, "largest_deviation": 0.0}, abs=1e-12
    )
    bent = scaling.fit(x, np.array(x) ** 2)
    assert bent["largest_deviation"] > 0.2


def test_sweeps_vary_one_thing_each() -> None:
    for name, sweep in scaling.sweeps(samples=8, steps=4).items():
        sizes = []
        for value in sweep.values[:2]:
            program, stimulus = sweep.case(value)
            shown = stimulus.values["input"]
            hidden = program.populations[0].size
            sizes.append((len(shown), stimulus.steps, hidden, round(float(shown.mean()), 2)))
        changed = [i for i in range(3) if sizes[0][i] != sizes[1][i]]
        assert changed == {"samples": [0], "steps": [1], "neurons": [2]}.get(name, [])
        assert (name == "density") == (abs(sizes[0][3] - sizes[1][3]) > 0.005)


def test_the_plot_has_a_dot_for_each_time() -> None:
    found = {
        name: {"title": f"{name} <&>", "values": [1, 2, 4], "milliseconds": [1.1, 2.0, 4.0]}
        | scaling.fit((1, 2, 4), np.array([1.1, 2.0, 4.0]))
        for name in ("samples", "steps", "density")
    }
    root = ElementTree.fromstring(plot.scaling(found))
    space = "{http://www.w3.org/2000/svg}"
    assert len(list(root.iter(f"{space}circle"))) == 9
    width, height = (float(root.attrib[side]) for side in ("width", "height"))
    for dot in root.iter(f"{space}circle"):
        assert 0 < float(dot.attrib["cx"]) < width
        assert 0 < float(dot.attrib["cy"]) < height
    told = root.findtext(f"{space}desc")
    assert told is not None
    assert "samples: 1 1.1 ms, 2 2 ms, 4 4 ms" in told
