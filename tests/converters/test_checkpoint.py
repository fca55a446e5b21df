"""Loading a checkpoint: what is wrong with it, or with the user's code, is said plainly."""

from __future__ import annotations

import builtins
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from slipway.converters.checkpoint import load_model
from slipway.errors import (
    FileError,
    GraphError,
    MissingDependency,
    ModelError,
    SlipwayError,
    UnsafeFileError,
    UsageError,
)
from torch import nn

NETS = """
import torch
from torch import nn

WIDTH = 3

class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(WIDTH, 2)
        self.drop = nn.Dropout()

    class Small:
        pass

def broken():
    layers = []
    return layers[7]

def leaves():
    raise SystemExit(3)

def text():
    return "no module"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with the user's package; modules of it are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "userpkg").mkdir()
    (tmp_path / "userpkg" / "__init__.py").write_text("")
    (tmp_path / "userpkg" / "nets.py").write_text(NETS)
    (tmp_path / "userpkg" / "faulty.py").write_text("import not_there_at_all\n")
    (tmp_path / "userpkg" / "typo.py").write_text("x = 1 +\n")
    for name in [name for name in sys.modules if name.split(".")[0] == "userpkg"]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


STUDENT = "userpkg.nets:Student"


def state() -> dict[str, torch.Tensor]:
    return {"fc.weight": torch.arange(6.0).reshape(2, 3), "fc.bias": torch.tensor([1.0, 2.0])}


def refused(kind: type[SlipwayError], path: Path, factory: str = STUDENT) -> str:
    before = list(sys.path)
    with pytest.raises(SlipwayError) as caught:
        load_model(path, factory)
    assert type(caught.value) is kind, caught.value
    assert sys.path == before
    return str(caught.value)


@pytest.mark.parametrize(
    "wrap", [dict, lambda s: {"state_dict": s}, lambda s: {"model": s, "e": 1}]
)
@pytest.mark.parametrize("name", ["a.pt", "a.pth"])
def test_loads(folder: Path, name: str, wrap: Callable[[Any], Any]) -> None:
    torch.save(wrap(state()), folder / name)
    before = list(sys.path)
    model = load_model(folder / name, STUDENT)
    assert sys.path == before
    assert not model.training
    assert torch.equal(model.get_parameter("fc.weight"), state()["fc.weight"])


def test_loads_safetensors(folder: Path) -> None:
    save_file(state(), folder / "a.safetensors")
    model = load_model(folder / "a.safetensors", STUDENT)
    assert torch.equal(model.get_parameter("fc.bias"), state()["fc.bias"])


def test_files_that_are_none(folder: Path) -> None:
    assert "there is no such file" in refused(FileError, folder / "none.pt")
    assert "this is a folder, not a checkpoint" in refused(FileError, folder / "userpkg")
    (folder / "empty.pt").touch()
    assert "the file is empty" in refused(FileError, folder / "empty.pt")
    (folder / "a.onnx").write_text("x")
    text = refused(FileError, folder / "a.onnx")
    assert "a checkpoint ends in .pt, .pth, .safetensors, not in .onnx" in text


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors", "junk"])
def test_truncated(folder: Path, kind: str, part: float) -> None:
    path = folder / ("a.safetensors" if kind == "safetensors" else "a.pt")
    if kind == "safetensors":
        save_file(state(), path)
    elif kind == "junk":
        path.write_bytes(b"this is no checkpoint" * 20)
    else:
        torch.save(state(), path, _use_new_zipfile_serialization=kind == "zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    text = refused(FileError, path)
    assert "the checkpoint is truncated or damaged" in text
    assert "copy or save it again" in text
    assert "weights_only" not in text  # torch's advice to switch the protection off


class Payload:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("writer", ["torch", "legacy", "pickle"])
def test_code_is_never_run(folder: Path, writer: str, protocol: int) -> None:
    path, trace = folder / "evil.pt", folder / "code-was-run"
    content = {**state(), "hook": Payload(trace)}
    if writer == "pickle":
        path.write_bytes(pickle.dumps(Payload(trace), protocol))
    else:
        torch.save(
            content,
            path,
            pickle_protocol=protocol,
            _use_new_zipfile_serialization=writer == "torch",
        )
    text = refused(UnsafeFileError, path)
    assert "this file would run code if it were loaded" in text
    assert "system" in text
    assert "it was not loaded; save only weights" in text
    assert not trace.exists()


def test_a_whole_module_is_code_too(folder: Path) -> None:
    torch.save(nn.Linear(2, 2), folder / "m.pt")
    text = refused(UnsafeFileError, folder / "m.pt")
    assert "torch.nn.modules.linear.Linear" in text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (torch.zeros(3), "this holds no state dict, but a Tensor"),
        ({"epoch": 3}, "this holds no state dict, but a dict with the keys ['epoch']"),
        ({}, "this holds no state dict, but a dict"),
    ],
)
def test_no_state_dict(folder: Path, content: Any, text: str) -> None:
    torch.save(content, folder / "a.pt")
    assert text in refused(FileError, folder / "a.pt")


@pytest.mark.parametrize(
    "factory", ["", "nets", ":x", "a:", "a b:c", "a.b:c()", "../a:b", "1a:b"]
)
def test_malformed_factories(folder: Path, factory: str) -> None:
    torch.save(state(), folder / "a.pt")
    text = refused(UsageError, folder / "a.pt", factory)
    assert f"{factory!r} does not name a model" in text
    assert "write module:factory, e.g. --model mypkg.nets:Student" in text


@pytest.mark.parametrize(
    ("factory", "texts"),
    [
        ("nowhere:f", ["there is no module 'nowhere'", "run in the folder that holds it"]),
        ("userpkg.nix:f", ["there is no module 'userpkg.nix'"]),
        ("userpkg.nets:Studnet", ["userpkg.nets has no 'Studnet'; it has Student, broken"]),
        ("userpkg.nets:Student.x", ["userpkg.nets has no 'Student.x'"]),
        ("userpkg.nets:WIDTH", ["WIDTH is int, which cannot be called"]),
        (
            "userpkg.nets:broken",
            ["calling broken() raised IndexError: list index out of range",
             "return layers[7]", "nets.py, line 18, in broken", "repair this code"],
        ),
        ("userpkg.nets:leaves", ["calling leaves() raised SystemExit: 3"]),
        ("userpkg.nets:text", ["text() returned str, not a torch.nn.Module"]),
        ("userpkg.nets:Student.Small", ["Student.Small() returned Small, not a torch.nn.Mod"]),
        (
            "userpkg.faulty:f",
            ["importing userpkg.faulty raised ModuleNotFoundError: No module named",
             "not_there_at_all", "faulty.py, line 1"],
        ),
        ("userpkg.typo:f", ["importing userpkg.typo raised SyntaxError", "typo.py"]),
    ],
)  # fmt: skip
def test_factories_that_fail(folder: Path, factory: str, texts: list[str]) -> None:
    torch.save(state(), folder / "a.pt")
    found = refused(ModelError, folder / "a.pt", factory)
    for text in texts:
        assert text in found


def test_all_keys_that_do_not_fit_at_once(folder: Path) -> None:
    torch.save({"fc.weight": torch.zeros(2, 4), "other": torch.zeros(5)}, folder / "a.pt")
    text = refused(ModelError, folder / "a.pt")
    assert "the checkpoint lacks fc.bias, shape (2,)" in text
    assert "the model has no other, shape (5,)" in text
    assert "fc.weight has shape (2, 4) in the checkpoint and (2, 3) in the model" in text


def test_all_weights_that_are_not_finite(folder: Path) -> None:
    values = state()
    values["fc.weight"][1, 0] = torch.nan
    values["fc.bias"][1] = -torch.inf
    torch.save(values, folder / "a.pt")
    text = refused(GraphError, folder / "a.pt")
    assert "fc.weight has 1 values that are not finite, the first at [1, 0]: nan" in text
    assert "fc.bias has 1 values that are not finite, the first at [1]: -inf" in text


def test_without_torch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def no_torch(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "torch":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_torch)
    text = refused(MissingDependency, folder / "a.pt")
    assert "reading a checkpoint needs torch, which is not installed" in text
    assert "pip install 'torch>=2.3'" in text
