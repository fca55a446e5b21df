"""Every number format: its range, its rounding, its overflow; Lava's rule for weights."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slipway.deploy
from hypothesis import given
from hypothesis import strategies as st
from slipway.deploy.formats import (
    ACCUMULATOR,
    BIAS_EXPONENT,
    BIAS_MANTISSA,
    CURRENT,
    DECAY,
    DELAY,
    STATE,
    THRESHOLD,
    IntegerFormat,
    SignMode,
    WeightFormat,
    payload,
    shift,
    sign_mode_of,
)

FORMATS = (DECAY, THRESHOLD, BIAS_MANTISSA, BIAS_EXPONENT, STATE, CURRENT, ACCUMULATOR, DELAY)
MODES: tuple[SignMode, ...] = ("mixed", "excitatory", "inhibitory")


def lava_truncates(weight: np.ndarray[Any, Any], bits: int, mode: SignMode) -> Any:
    """`clip_weights` and `truncate_weights` of lava-nc 0.10.0, transcribed."""
    low = {"mixed": -256, "excitatory": 0, "inhibitory": -255}[mode]
    high = {"mixed": 255, "excitatory": 255, "inhibitory": 0}[mode]
    weight = np.clip(weight, low, high)
    lost = 8 - bits + (1 if mode == "mixed" else 0)
    if mode == "inhibitory":
        return -((-weight >> lost) << lost)
    return (weight >> lost) << lost


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bits", range(1, 9))
def test_a_weight_format_holds_what_lava_leaves_alone(bits: int, mode: SignMode) -> None:
    everything = np.arange(-300, 301)
    kept = everything[lava_truncates(everything, bits, mode) == everything]
    layout = WeightFormat(bits, 0, mode)
    mantissa = layout.mantissa
    legal = everything[[mantissa.holds(value) for value in everything]]
    np.testing.assert_array_equal(legal, kept)
    assert (mantissa.minimum, mantissa.maximum) == (kept.min(), kept.max())
    assert layout.largest == min(
        [abs(kept.min()), kept.max()] if mode == "mixed" else [np.abs(kept).max()]
    )


def test_one_bit_of_mixed_sign_holds_two_numbers_only() -> None:
    assert (WeightFormat(1).mantissa.minimum, WeightFormat(1).mantissa.maximum) == (-256, 0)
    assert WeightFormat(1).largest == 0
    assert WeightFormat(1, 0, "excitatory").largest == 128


@given(
    st.sampled_from(
        [*FORMATS, *(WeightFormat(b, 0, m).mantissa for b in (2, 5, 8) for m in MODES)]
    ),
    st.lists(st.floats(-1e10, 1e10), min_size=1, max_size=20),
)
def test_rounding_finds_the_nearest_legal_number(
    number: IntegerFormat, values: list[float]
) -> None:
    rounded = number.round(values)
    assert number.holds(rounded)
    inside = np.clip(values, number.minimum, number.maximum)
    assert np.all(np.abs(rounded - inside) <= number.unit / 2)
    beyond = [
        v
        for v in values
        if not number.minimum <= number.unit * np.rint(v / number.unit) <= number.maximum
    ]
    assert number.overflow(values) == len(beyond)
    np.testing.assert_array_equal(number.round(rounded), rounded)
    assert number.overflow(rounded) == 0


def test_ranges_are_those_of_the_registers() -> None:
    assert (DECAY.minimum, DECAY.maximum) == (0, 2**12 - 1)
    assert (THRESHOLD.minimum, THRESHOLD.maximum) == (0, 2**17 - 1)
    assert (BIAS_MANTISSA.minimum, BIAS_MANTISSA.maximum) == (-(2**12), 2**12 - 1)
    assert (STATE.minimum, STATE.maximum) == (1 - 2**23, 2**23 - 1)
    assert (payload(8).minimum, payload(8).maximum) == (-127, 127)
    assert (payload(24).minimum, payload(24).maximum) == (-(2**23) + 1, 2**23 - 1)
    assert not STATE.holds(2**23)
    assert not WeightFormat().mantissa.holds(3)


def test_a_shift_to_the_right_floors() -> None:
    total = np.array([-3, -1, 0, 1, 3])
    np.testing.assert_array_equal(shift(total, -1), [-2, -1, 0, 0, 1])
    np.testing.assert_array_equal(shift(total, 2), [-12, -4, 0, 4, 12])


def test_a_weight_matrix_of_each_sign_mode() -> None:
    assert sign_mode_of(np.array([[0.0, 1.0]])) == "excitatory"
    assert sign_mode_of(np.array([[0.0, -1.0]])) == "inhibitory"
    assert sign_mode_of(np.array([[-1.0, 1.0]])) == "mixed"
    assert sign_mode_of(np.zeros((1, 2))) == "excitatory"


def test_ranges_stand_in_one_place() -> None:
    """No bare 4095, 131071, 8388607 outside the formats and the neuron norms."""
    root = Path(str(slipway.deploy.__file__)).parent
    bare = re.compile(r"(?<![\w.])(4095|131071|8388607|131072)(?!\w)")
    names = ["quantise", "bounds", "fit", "scales", "weights", "bits", "rounding", "divergence"]
    names += [f"neurons/{name}" for name in ("bounds", "reach", "quantise", "fitting", "coded")]
    for name in names:
        path = root / f"{name}.py"
        code = re.sub(r'"""[\s\S]*?"""|#.*', "", path.read_text(encoding="utf-8"))
        assert not bare.findall(code), path
