"""The commands in the README and the demo exist, with every option that is shown."""

from __future__ import annotations

import re
import shlex

import pytest
from slipway.cli.app import VERBS, command

from .tree import ROOT


def commands(text: str) -> list[str]:
    """Lines of shell blocks that call slipway or nirexport."""
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(("slipway ", "nirexport "))]


README = commands((ROOT / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("line", README)
def test_the_readme_shows_what_exists(line: str) -> None:
    name, *words = shlex.split(line)
    verb = "export" if name == "nirexport" else words.pop(0)
    if verb == "--help":
        return
    known = {option for parameter in command(verb).params for option in parameter.opts}
    assert {word for word in words if word.startswith("-")} <= known


def test_the_readme_names_every_verb() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [verb for verb in VERBS if f"`slipway {verb}`" not in text] == []
    assert len(README) >= 6


def test_make_shows_its_targets() -> None:
    """Each make target of the README stands in the Makefile."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"\bmake ((?!PYTHON)[a-z][a-z-]*)", text)) - {"and"}
    shown = {name for name in named if re.search(rf"^{name}:", makefile, flags=re.MULTILINE)}
    assert {"demo", "test", "lint", "wheel", "test-upstream", "help"} <= shown
