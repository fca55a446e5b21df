"""How netx must be told to run a file that slipway wrote."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import Problem
from ..program import Program
from .write_neurons import Written

MESSAGE_BITS = 24
"""Any number above 0 makes netx keep the value of a message; it is not used otherwise."""


@dataclass(frozen=True, slots=True)
class Loading:
    """How netx must be told to run what was written.

    Attributes:
        arguments: of `lava.lib.dl.netx.hdf5.Network`, beside net_config.
        notes: what else is to be known, a sentence each.
    """

    arguments: dict[str, int]
    notes: tuple[str, ...]


def arguments_of(
    program: Program, written: list[Written], entry: bool
) -> tuple[dict[str, int], list[Problem]]:
    """Of netx's Network; and problems of clearing, which concerns all layers alike.

    Args:
        program: what is written.
        written: its populations.
        entry: the first one takes the samples themselves.
    """
    arguments: dict[str, int] = {}
    problems: list[Problem] = []

    def refuse(what: str, remedy: str) -> None:
        problems.append(Problem(what, "program", remedy))

    if program.inputs[0].graded and not entry:
        arguments["input_message_bits"] = MESSAGE_BITS
    intervals = {w.interval for w in written}
    clears = any(w.clears for w in written)
    if len(intervals) > 1 or (intervals - {0} and clears):
        refuse(
            f"layers that are cleared differently ({', '.join(map(str, sorted(intervals)))} "
            "steps); netx clears all alike",
            "use one reset interval for all layers",
        )
    biased = [w for w in written if "bias" in w.fields]
    if clears and not all(w.clears for w in biased if w.fields["neuron/type"] == "CUBA"):
        refuse(
            "some biases begin with the first input and others at step 1",
            "compile the network again",
        )
    delayed = any(p.longest_delay or p.source == p.target for p in program.projections)
    if clears and delayed and any(w.early for w in written):
        refuse(
            "biases that make neurons spike before the first input arrives, beside delays or "
            "recurrent layers that keep these spikes",
            "train with weaker biases",
        )
    interval = max(intervals) or (program.run_steps(program.steps) if clears else 0)
    if interval:
        # netx adds 1, and 1 more for each layer; its Input block needs no step for a synapse.
        arguments |= {"reset_interval": interval, "reset_offset": 0 if entry else 1}
    return arguments, problems


def notes_of(program: Program, entry: bool, arguments: dict[str, int]) -> tuple[str, ...]:
    """What else is to be known."""
    notes = []
    if entry:
        notes.append(
            "connect the samples to net.in_layer.neuron.a_in: netx leaves the port net.inp "
            "unconnected, and this layer answers in the step in which it is fed"
        )
    if "reset_interval" in arguments:
        steps = arguments["reset_interval"]
        notes.append(f"present a sample every {steps} steps, the first at step 1")
    if program.outputs[0].readout != "count":
        notes.append(
            f"the output is the {program.outputs[0].readout} membrane: read it from "
            "net.out_layer.neuron"
        )
    return tuple(notes)
