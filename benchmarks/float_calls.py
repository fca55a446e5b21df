"""The float frameworks on one Program and one batch, ready to be called."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from slipway.deploy.program import Program
from slipway.deploy.trace import Stimulus
from torch import Tensor

from .float_network import FloatNetwork, as_input, float_network
from .frameworks import FRAMEWORKS
from .limits import cores
from .passes import PASSES, MakeCell, Pass
from .timing import Contender


def calls(
    program: Program, stimulus: Stimulus, names: Sequence[str]
) -> Iterator[tuple[str, Contender, int]]:
    """Each framework in each way, on all cores.

    Yields:
        "framework.way", a call that does a forward pass over all steps and samples, and the
        spikes that all layers sent in one.
    """
    torch.set_num_threads(cores())
    network = float_network(program)
    x = as_input(network, stimulus.values[network.input])
    for name in names:
        for way, advance in PASSES.items():
            make, counts = FRAMEWORKS[name], dict[str, int]()
            with torch.inference_mode():
                advance(network, make, x, stimulus.steps, counts)
            call = _call(advance, network, make, x, stimulus.steps)
            yield f"{name}.{way}", call, sum(counts.values())


def _call(
    advance: Pass, network: FloatNetwork, make: MakeCell, x: Tensor, steps: int
) -> Contender:
    def call() -> None:
        with torch.inference_mode():
            advance(network, make, x, steps, None)

    return call
