"""All verbs under one command, each imported when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from .errors import guarded

# Verb -> its line in the help, in the order in which a user meets them. Each verb is the
# function of that name in the module of that name, and its docstring begins with this line.
VERBS: dict[str, str] = {
    "export": "Turn a trained checkpoint into a NIR graph.",
    "check": "Say of each node whether the target can run it.",
    "compile": "Turn a NIR graph into a program for a target.",
    "place": "Say which core of the target holds which neurons.",
    "run": "Run a program over a data set on one engine.",
    "verify": "Compare the engines, value by value.",
    "report": "Estimate energy and time of runs, side by side.",
    "export-net": "Write a program as a network file of lava-dl.",
    "inspect": "Show what is in a graph, a program or a result.",
    "targets": "List the targets, or what is legal and the limits of one.",
    "costs": "List the cost models, or the constants of one; or validate them.",
    "doctor": "Say what is installed and how to install the rest.",
    "train": "Train a student network, with its teacher and without.",
}

EPILOG = (
    "Exit codes: 0 done, 1 the model cannot be deployed or a comparison failed, 2 usage or "
    "input files, 3 something optional is missing, 70 a bug of slipway, 130 interrupted."
)

# rich would cost --help another 60 ms.
_PLAIN: dict[str, Any] = {"rich_markup_mode": None, "pretty_exceptions_enable": False}


def command(name: str) -> Any:
    """The command of one verb. Imports its module."""
    function = name.replace("-", "_")
    module = importlib.import_module(f".{function}", __package__)
    app = typer.Typer(add_completion=False, **_PLAIN)
    app.command(name, context_settings={"help_option_names": ["-h", "--help"]})(
        getattr(module, function).command
    )
    return typer.main.get_command(app)


class Verbs(TyperGroup):
    """The verbs; listing them imports none."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = dict.fromkeys(VERBS)  # type: ignore[assignment]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, or None."""
        if cmd_name in VERBS and self.commands[cmd_name] is None:
            self.commands[cmd_name] = command(cmd_name)
        return self.commands.get(cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The section of the help that lists the verbs."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


def _version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(f"slipway {__version__}")
        raise typer.Exit


def group() -> Any:
    """The command `slipway`."""
    app = typer.Typer(
        name="slipway",
        cls=Verbs,
        epilog=EPILOG,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        **_PLAIN,
    )

    @app.callback()
    def root(
        version: Annotated[
            bool,
            typer.Option(
                "--version", callback=_version, is_eager=True, help="Print the version."
            ),
        ] = False,
    ) -> None:
        """From a trained student network to Loihi-style integers, and what they cost."""

    return typer.main.get_command(app)


def run(arguments: Sequence[str], program: str, *, verb: str | None = None) -> None:
    """Run the command, or one verb of it, and leave by SystemExit."""
    chosen: Callable[..., Any] = group() if verb is None else command(verb)
    raise SystemExit(
        guarded(
            lambda: chosen(args=list(arguments), prog_name=program),
            debug="--debug" in arguments,
        )
    )
