"""Depths and delays: when a spike arrives, so that every path tells the same time.

Each projection takes one step, whereas the layers of a training framework act within one. A
population at depth k therefore lives k steps behind the source, and a shorter path into it
waits: ``delay = depth(target) - depth(source) - 1``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import CapacityExceeded, Problem

DELAY_MAX = 62


@dataclass(frozen=True, slots=True)
class Hop:
    """Result of `align`.

    Attributes:
        depth: population -> projections on the longest feed-forward way from the input.
        delays: extra delay of each edge, in the order given.
        late: edges that close a loop and arrive this many steps later than the source
            framework's s[t-1], because a loop through n populations takes n steps.
    """

    depth: dict[str, int]
    delays: list[int]
    late: dict[tuple[str, str], int]


def align(source: str, edges: Sequence[tuple[str, str]]) -> Hop:
    """Longest depths over the feed-forward edges and the delay of every edge.

    Raises:
        CapacityExceeded: a delay is longer than 62 steps.
    """
    after: dict[str, list[str]] = {}
    for begin, end in edges:
        after.setdefault(begin, []).append(end)
    back = _back_edges(source, after)
    order = _topological(source, after, back)
    depth = {source: 0}
    for name in order:
        for follower in after.get(name, []):
            if (name, follower) not in back:
                depth[follower] = max(depth.get(follower, 0), depth[name] + 1)
    delays, late, problems = [], {}, []
    for begin, end in edges:
        if begin not in depth or end not in depth:
            delays.append(0)
            continue
        # A loop's edge carries the spike of the step before: one step more is allowed.
        slack = depth[end] - depth[begin] - (0 if (begin, end) in back else 1)
        if slack < 0:
            late[begin, end] = -slack
        if slack > DELAY_MAX:
            problems.append(
                Problem(
                    f"aligning the paths needs a delay of {slack} steps; "
                    f"the limit is {DELAY_MAX}",
                    f"{begin} -> {end}",
                    "shorten the longer path",
                )
            )
        delays.append(max(slack, 0))
    if problems:
        raise CapacityExceeded(*problems)
    del depth[source]
    return Hop(depth, delays, late)


def _back_edges(source: str, after: dict[str, list[str]]) -> set[tuple[str, str]]:
    """Edges that lead back to a node on the current depth-first path."""
    back: set[tuple[str, str]] = set()
    on_path, done = {source}, set()
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
    source: str, after: dict[str, list[str]], back: set[tuple[str, str]]
) -> list[str]:
    """Nodes reachable from the source, each behind all its feed-forward predecessors."""
    finished: list[str] = []
    seen = {source}
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
