from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from slipway.errors import FileError, MissingDependency
from slipway.models.files import write_arrays
from slipway.models.needs import require
from slipway.models.train import train


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(FileError, match=r"cannot make the folder .*out"):
        write_arrays(tmp_path / "out" / "x.npz", {"x": np.zeros(1)}, pack=True)
    with pytest.raises(FileError, match=r"cannot make the folder .*out/data"):
        train("digits", tmp_path / "out" / "data")


@pytest.mark.parametrize("pack", [True, False])
def test_arrays_come_back(tmp_path: Path, pack: bool) -> None:
    path = tmp_path / "new" / "data.npz"
    write_arrays(path, {"x": np.arange(5.0)}, pack=pack)
    with np.load(path) as saved:
        np.testing.assert_array_equal(saved["x"], np.arange(5.0))


def test_a_missing_package_is_told_with_its_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "norse.torch", None)
    with pytest.raises(MissingDependency, match="norse is needed to fly") as caught:
        require("norse.torch", "fly")
    assert "pip install 'slipway[train]'" in str(caught.value)
    with pytest.raises(MissingDependency, match="norse is needed to train a student"):
        train("digits", tmp_path)
