"""lava-dl 0.6.0's netx, unmodified, without the packages that only its training side uses.

netx asks lava-dl's training half, slayer, for one NumPy function (`neuron_params` of its
resonate-and-fire neuron), and with it imports torch, torchvision, OpenCV, matplotlib and
Pillow: five gigabytes that a network from a file never calls. Here these five are names only:
classes that can be inherited from at import, and that raise as soon as one of them is called,
so that a run that ends has used none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

PACKAGES = ("torch", "torchvision", "cv2", "matplotlib", "PIL")
VERSION = "0.6.0"
# What slayer's modules call while they are imported.
_CALLED_AT_IMPORT: dict[str, Any] = {
    "torch.cuda.is_available": lambda: False,
    "torch.device": lambda kind: kind,  # default of an argument
}


class _Name(type):
    """A class that has every attribute."""

    def __getattr__(cls, name: str) -> Any:
        return _attribute(f"{cls.__module__}.{cls.__name__}", name)


def _attribute(owner: str, name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if f"{owner}.{name}" in _CALLED_AT_IMPORT:
        return _CALLED_AT_IMPORT[f"{owner}.{name}"]

    def refuse(self: Any, *arguments: Any, **named: Any) -> None:
        raise RuntimeError(f"{owner}.{name} was called: netx does need {owner.split('.')[0]}")

    return _Name(name, (), {"__init__": refuse, "__module__": owner})


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        return _attribute(self.__name__, name)


class _Names(Loader, MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        known = name.partition(".")[0] in PACKAGES
        return ModuleSpec(name, self, is_package=True) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        module.__path__ = []


def import_netx() -> Any:
    """The module `lava.lib.dl.netx.hdf5`. Raises ImportError where lava-dl is not installed."""
    from importlib.metadata import version

    found = version("lava-dl")
    if found != VERSION:
        raise ImportError(f"these tests are for lava-dl {VERSION}, found is {found}")
    sys.meta_path.insert(0, _Names())
    from lava.lib.dl.netx import hdf5

    return hdf5
