"""Where a verb speaks: the result goes to stdout, progress and notes to stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

if TYPE_CHECKING:
    from rich.console import Console

# Width of tables in files and pipes, where there is no terminal to ask.
PIPE_WIDTH = 120
SECONDS_BETWEEN_LINES = 5.0

# Called with the fraction done, 0 to 1, and a few words.
Move: TypeAlias = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """What a verb hands back.

    Attributes:
        json: JSON values, printed by `--json`.
        show: prints the same as text.
        exit_code: of the process.
    """

    json: Mapping[str, Any]
    show: Callable[[Console], None]
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class Desk:
    """The options that every verb has, and the streams they rule.

    Attributes:
        output: the file or folder of `-o`.
        json: stdout carries JSON and nothing else.
        quiet: nothing but errors on stderr.
        verbose: details on stderr.
        color: whether text may be coloured.
    """

    output: Path | None
    json: bool
    quiet: bool
    verbose: bool
    color: bool

    def console(self, stream: TextIO) -> Console:
        """A rich console that writes to the stream."""
        from rich.console import Console

        class Honest(Console):
            """Leaves a closed pipe to cli.errors; rich would exit with 1, which means more."""

            def on_broken_pipe(self) -> None:
                raise BrokenPipeError

        return Honest(
            file=stream,
            color_system="auto" if self.color else None,
            width=None if stream.isatty() else PIPE_WIDTH,
            highlight=False,
            soft_wrap=False,
        )

    def note(self, text: str) -> None:
        """A line of log, unless quiet."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def detail(self, text: str) -> None:
        """A line of log where it was asked for by -v."""
        if self.verbose:
            print(text, file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, text: str) -> Iterator[Move]:
        """Show a bar on a terminal; elsewhere a line at the start and every few seconds.

        Yields:
            a function of (fraction done, text) that moves the bar.
        """
        started = time.perf_counter()
        if self.quiet:
            yield _ignore
        elif sys.stderr.isatty():
            with self._bar(text) as move:
                yield move
        else:
            self.note(text)
            yield _lines(started)
        self.detail(f"{text}: {time.perf_counter() - started:.2f} s")

    @contextmanager
    def _bar(self, text: str) -> Iterator[Move]:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        told = TextColumn("{task.fields[told]}")
        columns = (TextColumn("{task.description}"), BarColumn(), told, TimeElapsedColumn())
        with Progress(*columns, console=self.console(sys.stderr), transient=True) as bar:
            task = bar.add_task(text, total=None, told="")
            yield lambda fraction, told: bar.update(
                task, completed=fraction, total=1.0, told=told
            )


def _ignore(fraction: float, text: str) -> None:
    """Show nothing."""


def _lines(last: float) -> Move:
    """Print a line to stderr where the one before is some seconds old."""

    def move(fraction: float, text: str) -> None:
        nonlocal last
        if time.perf_counter() - last >= SECONDS_BETWEEN_LINES:
            last = time.perf_counter()
            print(f"  {100 * fraction:.0f} % {text}", file=sys.stderr, flush=True)

    return move
