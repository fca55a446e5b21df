"""What slipway says about what is installed, and how Lava is repaired."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from importlib import metadata
from types import ModuleType

import numpy as np
import pytest
from slipway.deploy import lava
from slipway.deploy.lava import compatibility, environment
from slipway.errors import LavaError, MissingDependency

from . import networks

usable = pytest.mark.skipif(
    not lava.probe().lava_usable, reason=f"Lava: {lava.probe().lava_reason}"
)


def pretend(monkeypatch: pytest.MonkeyPatch, **versions: str | None) -> None:
    """Let some distributions look installed at a version, or absent."""
    original = environment.version_of

    def version_of(name: str) -> str | None:
        return versions.get(name.replace("-", "_"), original(name))

    for name in ("numpy", "scipy", "networkx", "asteval"):
        versions.setdefault(name, "1.0")
    monkeypatch.setattr(environment, "version_of", version_of)
    monkeypatch.setattr(compatibility, "version_of", version_of)


def test_the_probe_lists_what_is_there() -> None:
    found = {p.name: p for p in lava.probe().packages}
    assert found["numpy"].version == metadata.version("numpy")
    assert found["lava-nc"].install == environment.lava_command()
    assert all(p.purpose and p.install for p in found.values())
    values = json.loads(json.dumps(lava.probe().as_json()))
    assert values["packages"]["numpy"]["version"] == np.__version__
    assert values["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")


def test_the_probe_imports_nothing() -> None:
    script = (
        "import sys; from slipway.deploy.lava.environment import probe; probe();"
        "print([m for m in ('torch', 'lava', 'numba', 'scipy', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd="/"
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        ({"lava_nc": None}, "lava-nc is not installed"),
        ({"lava_nc": "0.9.0"}, "lava-nc 0.9.0 is installed, slipway works with 0.10.0"),
        (
            {"lava_nc": "0.10.0", "scipy": None, "asteval": None},
            "lava-nc 0.10.0 is installed without scipy, asteval",
        ),
    ],
)
def test_why_lava_cannot_run(
    monkeypatch: pytest.MonkeyPatch, versions: dict[str, str | None], reason: str
) -> None:
    pretend(monkeypatch, **versions)
    assert lava.probe().lava_reason == reason
    with pytest.raises(MissingDependency) as caught:
        lava.execute(*networks.recurrent())
    assert caught.value.exit_code == 3
    problem = caught.value.problems[0]
    assert problem.what == f"the Lava executor cannot run: {reason}"
    assert sys.executable in problem.where
    assert problem.remedy == environment.lava_command()


def test_no_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    assert "which linux does not have" in lava.probe().lava_reason.replace(
        sys.platform, "linux"
    )


def test_the_command_fits_the_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    assert environment.lava_command() == 'pip install "slipway[lava]"'
    monkeypatch.setattr(sys, "version_info", (3, 12, 1))
    assert environment.lava_command() == (
        'pip install "slipway[lava]" && '
        "pip install --no-deps --ignore-requires-python lava-nc==0.10.0"
    )


def test_how_lava_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, lava_nc="0.10.0", numpy="1.26.4")
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    assert lava.probe().lava_reason == "lava-nc 0.10.0, used as it is"
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    assert lava.probe().lava_reason.startswith("lava-nc 0.10.0, used with slipway's repairs")


def test_repairs_of_another_version_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, lava_nc="0.11.0")
    monkeypatch.setattr(compatibility, "require_lava", lambda: None)
    with pytest.raises(LavaError, match=r"lava-nc 0\.11\.0 is installed; the repairs were"):
        compatibility.import_lava.__wrapped__()


REPAIRS = """
import dataclasses, json, sys
import numpy as np
before, reshape = dataclasses._get_field, np.reshape
from slipway.deploy.lava.compatibility import import_lava
lava = import_lava()
from lava.proc.conv import utils
from lava.magma.core.process.ports.ports import ReshapePort
port = ReshapePort((3, 2), (6,))
image = np.ones((130, 1, 1), np.int32)
kernel = np.full((1, 130, 1, 1), 2, np.int32)
pair = np.array([1, 1], np.int8)
size = np.array([130 - 10, 1], np.int8)
total = utils.conv(image, kernel[:, :120], size, pair, 0 * pair, pair, pair[0])
print(json.dumps({
    "restored": dataclasses._get_field is before and np.reshape is reshape,
    "forward": port.get_transform_func_fwd()(np.arange(6)).tolist(),
    "backward": port.get_transform_func_bwd()(np.ones((3, 2))).tolist(),
    "conv": [total.shape, total.dtype.name, total.ravel().tolist()],
    "repaired": [
        ReshapePort.get_transform_func_fwd.__module__.startswith("slipway"),
        utils.conv.__code__.co_filename.endswith("compatibility.py"),
    ],
    "same": import_lava() is lava,
}))
"""


@usable
def test_the_repairs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", REPAIRS], check=True, capture_output=True, text=True, cwd="/"
    )
    found = json.loads(done.stdout.splitlines()[-1])
    numpy_2 = np.__version__ >= "2"
    assert found == {
        "restored": True,
        "forward": [[0, 1], [2, 3], [4, 5]],
        "backward": [1.0] * 6,
        "conv": [[11, 1, 1], "int32", [240] * 11],
        "repaired": [numpy_2, numpy_2],
        "same": True,
    }


def test_only_lavas_own_classes_are_repaired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lava.made.up", ModuleType("lava.made.up"))

    class Unhashable:
        __hash__ = None  # type: ignore[assignment]

    with compatibility._hashable_defaults():

        @dataclasses.dataclass
        class OfLava:
            __module__ = "lava.made.up"
            x: object = Unhashable()

        if sys.version_info >= (3, 11):
            with pytest.raises(ValueError, match="mutable default"):

                @dataclasses.dataclass
                class Other:
                    x: object = Unhashable()

        with pytest.raises(ValueError, match="mutable default"):

            @dataclasses.dataclass
            class WithList:
                __module__ = "lava.made.up"
                x: list[int] = []  # noqa: RUF008

    assert OfLava().x is OfLava().x
