"""The networks of the papers by name: who builds them, and how large they are.

To add a network: one row here, one test of its size.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import Problem, UsageError
from .needs import require

if TYPE_CHECKING:
    from torch import nn

RESEMOTENET = "Roy et al., ResEmoteNet, arXiv 2409.10545"
MINI = "Murtada et al., Mini-ResEmoteNet, arXiv 2501.18538"
MSKD = "Wang et al., MSKD, IJCAI 2024, arXiv 2407.09521"
SEEN = "Zhang et al., SEEN, ICCV 2023"
CKD = "Ye et al., CKD, ICME 2025, arXiv 2507.09269"


@dataclass(frozen=True, slots=True)
class Network:
    """One network.

    Attributes:
        paper: where it comes from.
        builder: "module:function", called with the options; imported on first use.
        options: what the builder is called with; further ones may be added.
    """

    paper: str
    builder: str
    options: Mapping[str, Any] = field(default_factory=dict)


_RESEMOTENET = "slipway.models.teachers.resemotenet:ResEmoteNet"
_MSKD = "slipway.models.students.mskd:MskdStudent"
_HYBRID = "slipway.models.teachers.seen:HybridTeacher"
_RESNET = "slipway.models.students.spiking_resnet:SpikingResNet18"

NETWORKS: dict[str, Network] = {
    "resemotenet": Network(RESEMOTENET, _RESEMOTENET),
    "mini-resemotenet-a": Network(MINI, _RESEMOTENET, {"divisor": 2}),
    "mini-resemotenet-b": Network(MINI, _RESEMOTENET, {"divisor": 4}),
    "mini-resemotenet-c": Network(MINI, _RESEMOTENET, {"divisor": 8}),
    "seen": Network(SEEN, "slipway.models.teachers.seen:Seen"),
    "mskd-teacher": Network(MSKD, _HYBRID),
    "mskd-student": Network(MSKD, _MSKD),
    "mskd-student-small": Network(MSKD, "slipway.models.students.mskd:mskd_small"),
    "ckd-teacher": Network(CKD, "slipway.models.teachers.resnet:ResNet18"),
    "ckd-vgg-snn": Network(CKD, "slipway.models.students.vgg_snn:VggSnn"),
    "ckd-resnet18-snn": Network(CKD, _RESNET, {"activation": "pre"}),
    "ckd-resnet18-snn-post": Network(CKD, _RESNET, {"activation": "post"}),
}
"""Name -> network, with the papers' own sizes."""


def build(name: str, **options: Any) -> nn.Module:
    """Build a network with fresh weights, from torch's random numbers.

    Args:
        name: one of NETWORKS.
        options: of its builder, beside or in place of those in the table.

    Raises:
        UsageError: there is no network of that name, or an option is out of range.
        MissingDependency: torch or norse is not installed.
    """
    if name not in NETWORKS:
        near = difflib.get_close_matches(name, NETWORKS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(
            Problem(
                f"there is no network named {name!r}",
                remedy=f"{hint}networks: {', '.join(NETWORKS)}",
            )
        )
    for package in ("torch", "norse.torch"):
        require(package, "build a network")
    network = NETWORKS[name]
    module, _, function = network.builder.partition(":")
    made: nn.Module = getattr(importlib.import_module(module), function)(
        **{**network.options, **options}
    )
    return made


def sizes() -> dict[str, dict[str, Any]]:
    """Paper and number of parameters of each network: {name: {"paper", "parameters"}}.

    Built on the meta device, without memory for the weights.
    """
    torch = require("torch", "count parameters")
    from .counting import parameters_of

    found = {}
    for name, network in NETWORKS.items():
        with torch.device("meta"):
            found[name] = {"paper": network.paper, "parameters": parameters_of(build(name))}
    return found
