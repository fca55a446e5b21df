"""`slipway check`: what a target makes of a graph, before anything is compiled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import EXIT_DONE, EXIT_NOT_DEPLOYABLE
from . import options
from .desk import Desk, Result
from .net_files import is_net, refuse_options
from .tables import print_table
from .verb import verb

if TYPE_CHECKING:
    from rich.console import Console


@verb()
def check(
    desk: Desk,
    graph: Annotated[Path, typer.Argument(help="A NIR graph, or a .net file.")],
    target: options.Target = "loihi2",
    dt: options.Dt = None,
    code: options.Code = "rate",
    reset: options.Reset = None,
    input_encoding: options.Encoding = None,
) -> Result:
    """Say of each node whether the target can run it.

    Also what it uses of the target's resources. Exit code 1 if it cannot be deployed.
    """
    options.positive(dt, "--dt")

    if is_net(graph):
        from ..deploy.netx import check_net

        refuse_options(
            graph,
            {"--code": code != "rate", "--reset": reset, "--input-encoding": input_encoding},
        )
        facts = check_net(graph, target).as_json()
    else:
        from ..deploy.check import check_graph
        from .inputs import read_graph

        source = read_graph(graph, dt, reset, input_encoding)
        facts = check_graph(source, target, code=code).as_json()

    def show(console: Console) -> None:
        nodes: list[tuple[str, ...]] = [
            (n, f["status"], f["reason"], f.get("remedy")) for n, f in facts["nodes"].items()
        ]
        heads: tuple[str, ...] = ("node", "status", "reason", "to do")
        if not any(remedy for *_, remedy in nodes):
            heads, nodes = heads[:3], [row[:3] for row in nodes]
        print_table(console, heads, nodes)
        resources = [
            (n, f["used"], f["limit"], _share(f["used"], f["limit"]))
            for n, f in facts["resources"].items()
        ]
        if resources:
            print_table(console, ("resource", ">used", ">limit", ">%"), resources)
        for problem in facts["problems"]:
            told = ", ".join(filter(None, (problem["where"], problem["what"])))
            console.print(f"{told}; to do: {problem['remedy']}", markup=False)
        verdict = "deployable" if facts["deployable"] else "NOT deployable"
        console.print(f"{graph}: {verdict} on {facts['target']}")

    return Result(facts, show, EXIT_DONE if facts["deployable"] else EXIT_NOT_DEPLOYABLE)


def _share(used: float | None, limit: float | None) -> str:
    return "-" if used is None or not limit else f"{100 * used / limit:.1f}"
