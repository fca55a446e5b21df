"""What stands in front of each ProcessModel: fresh samples, records, failures.

Each class is a mixin; `watched` puts it in front of a model. The step itself is always the
model's `run_spk`. Before it, at the first step of a sample, the state is set back to what
Lava built; after it, what happened is noted.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..neurons.arithmetic import STATE_LIMIT
from .job import report_failure

Array = npt.NDArray[Any]
PLAN = "slipway"
"""Name of the process parameter that holds the Plan."""


@dataclass(frozen=True, slots=True)
class Read:
    """What an output reads from a population.

    Attributes:
        field: of the file that it goes to.
        state: attribute of the model, or "" for the messages.
        first, last: steps of a sample that count, inclusive.
        summed: whether they are added up; else the last one is kept.
    """

    field: str
    state: str
    first: int
    last: int
    summed: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What one process has to note.

    Attributes:
        name: population, projection or input, for messages.
        folder: folder of this network's results.
        status: file descriptor on which a failure is announced.
        period: executed steps of one sample.
        presented: steps for which a sample is shown.
        files: field -> file name in `folder`; what is absent is not recorded.
        states: field -> attribute of the model, for recording.
        clipped: attributes whose values at the limit count as saturated.
        reads: the outputs.
    """

    name: str
    folder: Path
    status: int
    period: int
    presented: int
    files: Mapping[str, str]
    states: Mapping[str, str] = field(default_factory=dict)
    clipped: tuple[str, ...] = ()
    reads: tuple[Read, ...] = ()


def to_lava(values: Array, shape: tuple[int, ...]) -> Array:
    """Flat C, H, W values as Lava's (W, H, C) array; `shape` is the latter, or (n,)."""
    return values.reshape(shape[::-1]).T


def to_program(values: Array) -> Array:
    """Lava's (W, H, C) array, or (n,), as flat C, H, W values."""
    return values.T.reshape(-1)


class Watched:
    """In front of any model."""

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
        if "progress" in self.records:
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
    """Any neuron; slipway's own ones start their samples anew by themselves."""

    s_out: Any

    def open(self, plan: Plan) -> None:
        """Remember what the model sends."""
        super().open(plan)
        send = self.s_out.send

        def send_and_keep(messages: Array) -> None:
            self.sent_messages = np.array(messages)
            send(messages)

        self.s_out.send = send_and_keep

    def note(self, plan: Plan, sample: int, step: int) -> None:
        """Count messages and saturations, read the outputs, record if asked for."""
        messages, records = to_program(self.sent_messages), self.records
        records["messages"][sample] += messages != 0
        for name in plan.clipped:
            at_limit = np.abs(getattr(self, name)) == STATE_LIMIT - 1
            records["saturated"][sample] += at_limit.sum()
        for read in plan.reads:
            if read.first <= step <= read.last:
                now = to_program(getattr(self, read.state)) if read.state else messages
                target = records[read.field]
                target[sample] = target[sample] + now if read.summed else now
        if "s" in records:
            records["s"][sample, step - 1] = messages
            for name, attribute in plan.states.items():
                records[name][sample, step - 1] = to_program(getattr(self, attribute))


class WatchedLif(WatchedNeuron):
    """LIF and TernaryLIF."""

    state = ("u", "v")


class WatchedReset(WatchedNeuron):
    """LIFReset, whose clock runs through all samples: each sample needs its own offset."""

    state = ("u", "v")
    reset_interval: int

    def begin(self, plan: Plan, sample: int) -> None:
        """Let the offset count from the sample's first step."""
        super().begin(plan, sample)
        offset = sample * plan.period + self.proc_params["reset_offset"]
        self.reset_offset = offset % self.reset_interval


class WatchedRefractory(WatchedNeuron):
    """LIFRefractory, which remembers the step in which a neuron's rest ends."""

    state = ("u", "v", "refractory_period_end")
    refractory_period_end: Array

    @property
    def rest(self) -> Array:
        """Steps of rest that are left."""
        left: Array = np.maximum(self.refractory_period_end - self.time_step, 0)
        return left


class WatchedAtrlif(WatchedNeuron):
    """ATRLIF, which scales its thresholds in its first step, theta among them."""

    state = ("i", "v", "theta", "r", "s")

    def open(self, plan: Plan) -> None:
        """Scale now, so that theta starts every sample scaled."""
        if not getattr(self, "isthrscaled", True):
            self.scale_threshold()  # type: ignore[attr-defined]
        super().open(plan)


class WatchedResonator(WatchedNeuron):
    """RF and RF_IZ."""

    state = ("real", "imag")


class WatchedDelta(WatchedNeuron):
    """Delta."""

    state = ("act", "residue")


class WatchedSigmaDelta(WatchedNeuron):
    """SigmaDelta."""

    state = ("sigma", "act", "residue")


# Process -> mixin
WATCHED: dict[str, type[Watched]] = {
    "RingBuffer": WatchedSource,
    "Dense": WatchedDense,
    "Sparse": WatchedDense,
    "DelaySparse": WatchedDelay,
    "Conv": WatchedConv,
    "LIF": WatchedLif,
    "TernaryLIF": WatchedLif,
    "LIFReset": WatchedReset,
    "LIFRefractory": WatchedRefractory,
    "ATRLIF": WatchedAtrlif,
    "RF": WatchedResonator,
    "RF_IZ": WatchedResonator,
    "Delta": WatchedDelta,
    "SigmaDelta": WatchedSigmaDelta,
    "GeneralLIF": WatchedNeuron,
    "GeneralSigmaDelta": WatchedNeuron,
    "FirstSpike": WatchedNeuron,
}


def watched(process: type, model: type) -> type:
    """The ProcessModel of a Process with slipway's mixin in front of it."""
    return type(f"Watched{model.__name__}", (WATCHED[process.__name__], model), {})
