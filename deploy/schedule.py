"""Depths and delays: when a spike arrives, so that every path tells the same time.

Each projection takes one step, whereas the layers of a training framework act within one. A
population at depth k therefore lives k steps behind the source, and a shorter path into it
waits: ``delay = depth(target) - depth(source) - 1``. A population that collects its input over
a window before it answers (time to first spike) lies deeper by the length of the window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import CapacityExceeded, Problem
from .formats import DELAY

DELAY_MAX = DELAY.maximum


@dataclass(frozen=True, slots=True)
class Hop:
    """Result of `align`.

    Attributes:
        depth: population -> steps by which its answer lags behind the source: projections and
            windows on the longest feed-forward way from an input.
        delays: extra delay of each edge, in the order given.
        late: edges that close a loop and arrive this many steps later than the source
            framework's s[t-1], because a loop through n populations takes n steps.
    """

    depth: dict[str, int]
    delays: list[int]
    late: dict[tuple[str, str], int]


def align(
    sources: Sequence[str],
    edges: Sequence[tuple[str, str]],
    *,
    spans: Mapping[str, int] | None = None,
    own: Sequence[int] | None = None,
) -> Hop:
    """Longest depths over the feed-forward edges and the delay of every edge.

    Args:
        sources: names of the inputs.
        edges: source and target of each path.
        spans: population -> steps between the arrival of its input and its answer, else 0.
        own: longest delay of each edge's own synapses; alignment adds to it.

    Raises:
        CapacityExceeded: a delay is longer than 62 steps.
    """
    spans = spans or {}
    after: dict[str, list[str]] = {}
    for begin, end in edges:
        after.setdefault(begin, []).append(end)
    back = _back_edges(sources, after)
    order = _topological(sources, after, back)
    depth = dict.fromkeys(sources, 0)
    for name in order:
        for follower in after.get(name, []):
            if (name, follower) not in back:
                reached = depth[name] + 1 + spans.get(follower, 0)
                depth[follower] = max(depth.get(follower, 0), reached)
    delays, late, problems = [], {}, []
    for (begin, end), longest in zip(edges, own or [0] * len(edges), strict=True):
        if begin not in depth or end not in depth:
            delays.append(0)
            continue
        # A loop's edge carries the spike of the step before: one step more is allowed.
        arrival = depth[end] - spans.get(end, 0)
        slack = arrival - depth[begin] - (0 if (begin, end) in back else 1)
        if slack < 0:
            late[begin, end] = -slack
        if max(slack, 0) + longest > DELAY_MAX:
            told = [f"aligning the paths needs a delay of {slack} steps"] * (slack > 0)
            told += [f"the graph's own delays need {longest} steps"] * (longest > 0)
            remedies = ["shorten the longer path"] * (slack > 0)
            remedies += ["shorten the delays, or use a longer time step"] * (longest > 0)
            problems.append(
                Problem(
                    f"{', and '.join(told)}; the limit is {DELAY_MAX}",
                    f"{begin} -> {end}",
                    "; or ".join(remedies),
                )
            )
        delays.append(max(slack, 0))
    if problems:
        raise CapacityExceeded(*problems)
    for source in sources:
        del depth[source]
    return Hop(depth, delays, late)


def _back_edges(sources: Sequence[str], after: Mapping[str, list[str]]) -> set[tuple[str, str]]:
    """Edges that lead back to a node on the current depth-first path."""
    back: set[tuple[str, str]] = set()
    done: set[str] = set()
    for source in sources:
        on_path = {source}
        stack = [(source, iter(after.get(source, [])))]
        while stack:
            name, followers = stack[-1]
            for follower in followers:
                if follower in on_path:
                    back.add((name, follower))
                elif follower not in done:
                    on_path.add(follower)
                    stack.append((follower, iter(after.get(follower, []))))
                    break
            else:
                stack.pop()
                on_path.discard(name)
                done.add(name)
    return back


def _topological(
    sources: Sequence[str], after: Mapping[str, list[str]], back: set[tuple[str, str]]
) -> list[str]:
    """Nodes reachable from the sources, each behind all its feed-forward predecessors."""
    finished: list[str] = []
    seen: set[str] = set()
    for source in sources:
        seen.add(source)
        stack = [(source, iter(after.get(source, [])))]
        while stack:
            name, followers = stack[-1]
            for follower in followers:
                if follower not in seen and (name, follower) not in back:
                    seen.add(follower)
                    stack.append((follower, iter(after.get(follower, []))))
                    break
            else:
                stack.pop()
                finished.append(name)
    return finished[::-1]
