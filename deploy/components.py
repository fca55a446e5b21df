"""Which populations of a Program depend on each other, and in which order they can run."""

from __future__ import annotations

from .program import Program


def components(program: Program) -> list[list[str]]:
    """Strongly connected components, sources first; within one, in the Program's order.

    Source: R. Tarjan, "Depth-first search and linear graph algorithms", 1972; without
    recursion, since a network may be deeper than Python's stack.
    """
    before: dict[str, list[str]] = {p.name: [] for p in program.populations}
    for projection in program.projections:
        if projection.source in before:
            before[projection.target].append(projection.source)
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []
    for root in before:
        if root in index:
            continue
        way = [(root, iter(before[root]))]
        index[root] = lowest[root] = len(index)
        stack.append(root)
        while way:
            name, sources = way[-1]
            for source in sources:
                if source not in index:
                    index[source] = lowest[source] = len(index)
                    stack.append(source)
                    way.append((source, iter(before[source])))
                    break
                if source in stack:
                    lowest[name] = min(lowest[name], index[source])
            else:
                way.pop()
                if way:
                    lowest[way[-1][0]] = min(lowest[way[-1][0]], lowest[name])
                if lowest[name] == index[name]:
                    at = stack.index(name)
                    members = set(stack[at:])
                    del stack[at:]
                    found.append([p for p in before if p in members])
    return found
