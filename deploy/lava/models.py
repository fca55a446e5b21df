"""What stands in front of Lava's stock ProcessModels: fresh samples, records, failures.

Each class is a mixin; `watched` puts it in front of a stock model. The step itself is always
Lava's own `run_spk`. Before it, at the first step of a sample, the state is set back to what
Lava built; after it, what happened is noted.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..neurons.cuba_lif import STATE_LIMIT
from .job import report_failure

Array = npt.NDArray[Any]
PLAN = "slipway"
"""Name of the process parameter that holds the Plan."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one process has to note.

    Attributes:
        name: population, projection or input, for messages.
        folder: folder of this network's results.
        status: file descriptor on which a failure is announced.
        period: executed steps of one sample.
        files: field -> file name in `folder`; what is absent is not recorded.
        window: first and last step of a sample that counts for the output; (0, 0) if none.
        readout: "count", "last" or "mean".
        presented: steps for which a sample is shown.
    """

    name: str
    folder: Path
    status: int
    period: int
    files: dict[str, str]
    window: tuple[int, int] = (0, 0)
    readout: str = "count"
    presented: int = 0


def to_lava(values: Array, shape: tuple[int, ...]) -> Array:
    """Flat C, H, W values as Lava's (W, H, C) array; `shape` is the latter, or (n,)."""
    return values.reshape(shape[::-1]).T


def to_program(values: Array) -> Array:
    """Lava's (W, H, C) array, or (n,), as flat C, H, W values."""
    return values.T.reshape(-1)


class Watched:
    """In front of any stock model."""

    proc_params: Any
    time_step: int
    state: tuple[str, ...] = ()

    def run_spk(self) -> None:
        """One step of Lava, between what slipway does before and after it."""
        plan: Plan = self.proc_params[PLAN]
        try:
            sample, step = divmod(self.time_step - 1, plan.period)
            if self.time_step == 1:
                self.open(plan)
            if step == 0:
                self.begin(plan, sample)
            super().run_spk()  # type: ignore[misc]
            self.note(plan, sample, step + 1)
        except Exception:
            report_failure(plan.folder, plan.status, plan.name, traceback.format_exc())
            raise

    def open(self, plan: Plan) -> None:
        """Before the first step: remember the fresh state, open the records."""
        self.fresh = {name: np.array(getattr(self, name)) for name in self.state}
        self.records = {
            field: np.load(plan.folder / name, mmap_mode="r+")
            for field, name in plan.files.items()
        }

    def begin(self, plan: Plan, sample: int) -> None:
        """Before a sample's first step: the state that Lava built."""
        for name, value in self.fresh.items():
            setattr(self, name, value.copy())

    def note(self, plan: Plan, sample: int, step: int) -> None:
        """After each step."""


class WatchedSource(Watched):
    """RingBuffer whose buffer holds one sample and is filled anew for each."""

    data: Array

    def begin(self, plan: Plan, sample: int) -> None:
        """Fill the buffer with the sample, silent after its presentation; count it."""
        values = self.records["stimulus"][sample]
        shape = self.data.shape[:-1]
        self.data[...] = 0
        if values.ndim == 1:
            self.data[..., : plan.presented] = to_lava(values, shape)[..., None]
        else:
            steps = values.reshape(len(values), *shape[::-1])
            self.data[..., : plan.presented] = steps.T
        self.records["messages"][sample] = to_program((self.data != 0).sum(axis=-1))

    def note(self, plan: Plan, sample: int, step: int) -> None:
        """Tell the supervisor how far the run is."""
        self.records["progress"][0] = self.time_step


class WatchedDense(Watched):
    """Dense and Sparse."""

    state = ("a_buff",)


class WatchedConv(Watched):
    """Conv."""

    state = ("a_buf",)


class WatchedDelay(Watched):
    """DelaySparse, with its matrix made once: weights and delays never change."""

    state = ("a_buff",)
    matrix: Any = None

    def get_delay_wgts_mat(self, *arguments: Any) -> Any:
        """Lava's own matrix, which Lava builds anew at every step."""
        if self.matrix is None:
            self.matrix = super().get_delay_wgts_mat(*arguments)  # type: ignore[misc]
        return self.matrix


class WatchedNeuron(Watched):
    """LIF and LIFReset."""

    state = ("u", "v")
    u: Array
    v: Array

    def reset_voltage(self, spike_vector: Array) -> None:
        """Lava's own reset; the spikes are taken from its argument."""
        self.spikes = spike_vector
        super().reset_voltage(spike_vector=spike_vector)  # type: ignore[misc]

    def note(self, plan: Plan, sample: int, step: int) -> None:
        """Count spikes and saturations, read the output, record if asked for."""
        spikes, v, records = to_program(self.spikes), to_program(self.v), self.records
        records["messages"][sample] += spikes
        if v.dtype.kind == "i":
            records["saturated"][sample] += (np.abs(v) == STATE_LIMIT - 1).sum()
        first, last = plan.window
        if first <= step <= last:
            if plan.readout == "last":
                records["outputs"][sample] = v
            else:
                records["outputs"][sample] += spikes if plan.readout == "count" else v
        if "s" in records:
            records["s"][sample, step - 1] = spikes
            records["u"][sample, step - 1] = to_program(self.u)
            records["v"][sample, step - 1] = v


# Process -> mixin
WATCHED: dict[str, type[Watched]] = {
    "RingBuffer": WatchedSource,
    "Dense": WatchedDense,
    "Sparse": WatchedDense,
    "DelaySparse": WatchedDelay,
    "Conv": WatchedConv,
    "LIF": WatchedNeuron,
    "LIFReset": WatchedNeuron,
}


def watched(process: type, stock: type) -> type:
    """The stock ProcessModel of a Process with slipway's mixin in front of it."""
    return type(f"Watched{stock.__name__}", (WATCHED[process.__name__], stock), {})
