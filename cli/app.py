"""All verbs in the order in which a user meets them, under one command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from .check import check
from .compile import compile_
from .costs import costs
from .doctor import doctor
from .errors import guarded
from .export import export
from .inspect import inspect_
from .report import report
from .run import run as run_verb
from .targets import targets
from .train import train
from .verb import Verb
from .verify import verify

VERBS: dict[str, Verb] = {
    "export": export,
    "check": check,
    "compile": compile_,
    "run": run_verb,
    "verify": verify,
    "report": report,
    "inspect": inspect_,
    "targets": targets,
    "costs": costs,
    "doctor": doctor,
    "train": train,
}

EPILOG = (
    "Exit codes: 0 done, 1 the model cannot be deployed or a comparison failed, 2 usage or "
    "input files, 3 something optional is missing, 70 a bug of slipway, 130 interrupted."
)


def _version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(f"slipway {__version__}")
        raise typer.Exit


def build() -> typer.Typer:
    """The command with all its verbs."""
    app = typer.Typer(
        name="slipway",
        help="From a trained student network to Loihi-style integers, and what they cost.",
        epilog=EPILOG,
        no_args_is_help=True,
        add_completion=True,
        rich_markup_mode=None,  # rich costs --help another 60 ms
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
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

    for name, verb in VERBS.items():
        app.command(name)(verb.command)
    return app


def run(arguments: Sequence[str], program: str, *, verb: str | None = None) -> None:
    """Run the command, or one verb of it, and leave by SystemExit."""
    group: Any = typer.main.get_command(build())
    command: Callable[..., Any] = group if verb is None else group.commands[verb]
    raise SystemExit(
        guarded(
            lambda: command(args=list(arguments), prog_name=program),
            debug="--debug" in arguments,
        )
    )
