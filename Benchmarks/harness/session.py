"""One run: the cluster, the repetitions and all that was measured."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from .cluster import Cluster
from .tools import Wrong

Measure = Callable[[], dict[str, float]]
Result = list[dict[str, float]]


class Session:
    def __init__(self, cluster: Cluster, options: argparse.Namespace) -> None:
        self.cluster, self.options = cluster, options
        self.raw: dict[str, dict[str, Result]] = {}

    def pairs(self, name: str, ours: Measure, floor: Measure | None) -> tuple[Result, Result]:
        """Ours and the floor's in turn: A B A B …"""
        sides = self.in_turn(name, {"bridge": ours} | ({"floor": floor} if floor is not None else {}))
        return sides["bridge"], sides.get("floor", [])

    def in_turn(self, name: str, sides: dict[str, Measure]) -> dict[str, Result]:
        """All sides, one after the other, as often as asked for. What is missing on any is an error."""
        results: dict[str, Result] = {side: [] for side in sides}
        for repetition in range(self.options.repeat):
            for side, measure in sides.items():
                result = measure()
                results[side].append(result)
                if result.get("wrong"):
                    raise Wrong(f"{name}: {result['wrong']:.0f} rows or connections are missing")
                self.say(f"{name} {repetition + 1} {side}", result)
        self.raw[name] = results
        return results

    def say(self, name: str, result: dict[str, float]) -> None:
        print(f"  {name}: " + " ".join(f"{key}={value:.4g}" for key, value in result.items()), file=sys.stderr,
              flush=True)
