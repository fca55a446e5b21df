"""How errors are shown, and the exit code of each kind."""

from __future__ import annotations

import errno
import json

import pytest
from slipway import errors
from slipway.cli.errors import guarded
from slipway.errors import Problem


def shown(
    error: BaseException, capsys: pytest.CaptureFixture[str], *, debug: bool = False
) -> tuple[int, str]:
    def work() -> None:
        raise error

    code = guarded(work, debug=debug)
    said = capsys.readouterr()
    assert said.out == ""
    return code, said.err


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.UsageError, 2),
        (errors.FileError, 2),
        (errors.UnsafeFileError, 2),
        (errors.DataError, 2),
        (errors.ModelError, 1),
        (errors.UnsupportedNode, 1),
        (errors.GraphError, 1),
        (errors.CapacityExceeded, 1),
        (errors.LavaError, 1),
        (errors.LavaTimeout, 1),
        (errors.MissingDependency, 3),
    ],
)
def test_each_kind_has_its_exit_code(
    kind: type[errors.SlipwayError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = shown(kind("it is bad", where="here", remedy="do that"), capsys)
    assert answer == (code, "slipway: error: it is bad\n  where: here\n  to do: do that\n")


def test_all_problems_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    error = errors.UnsupportedNode(Problem("one", "a"), Problem("two", "b", "replace it"))
    code, text = shown(error, capsys)
    assert code == 1
    assert text == (
        "slipway: 2 errors\none\n  where: a\ntwo\n  where: b\n  to do: replace it\n"
    )


def test_a_bug_says_so_and_asks_for_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = shown(KeyError("fc1"), capsys)
    assert code == 70
    assert text.startswith("slipway: internal error: KeyError: 'fc1'\n  where: ")
    assert "this is a bug of slipway" in text
    assert "slipway doctor" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("error", [KeyError("fc1"), errors.UsageError("bad")])
def test_debug_shows_the_traceback(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "Traceback (most recent call last)" in shown(error, capsys, debug=True)[1]


def test_an_interrupt_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(KeyboardInterrupt(), capsys) == (130, "slipway: interrupted\n")


def test_a_missing_package_says_how_to_install_it(capsys: pytest.CaptureFixture[str]) -> None:
    error = ModuleNotFoundError("No module named 'torch'", name="torch.nn")
    code, text = shown(error, capsys)
    assert code == 3
    assert text == (
        'slipway: error: torch.nn is not installed\n  to do: pip install "slipway[torch]"\n'
    )


def test_a_module_of_our_own_that_is_missing_is_a_bug(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = ModuleNotFoundError("No module named 'slipway.x'", name="slipway.x")
    assert shown(error, capsys)[0] == 70


def test_out_of_memory(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = shown(MemoryError(), capsys)
    assert code == 2
    assert "--samples N" in text


def test_full_disk(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = shown(OSError(errno.ENOSPC, "No space left on device", "a.json"), capsys)
    assert code == 2
    assert "cannot write: No space left on device\n  where: a.json" in text


def test_json_carries_the_problems(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise errors.FileError("gone", where="a.nir", remedy="look")

    assert guarded(work, json=True) == 2
    assert json.loads(capsys.readouterr().out) == {
        "error": "FileError",
        "exit_code": 2,
        "problems": [{"what": "gone", "where": "a.nir", "remedy": "look"}],
    }


def test_problems_of_one_place_share_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise errors.FileError(
            Problem("one", "a", "mend a"), Problem("two", "a", "mend a"), Problem("three", "b")
        )

    assert guarded(work) == errors.EXIT_USAGE
    assert capsys.readouterr().err == (
        "slipway: 3 errors\none\ntwo\n  where: a\n  to do: mend a\nthree\n  where: b\n"
    )
