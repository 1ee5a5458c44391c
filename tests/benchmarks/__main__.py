"""`make bench` (all) or `make bench ONLY=id,id`: runs the modules here that have the ids, prints one table.

A benchmark is a module with IDS, the ids of its rows, and measure(ids), which returns them as `harness.Row`s.
Each runs in a process of its own: some configure Django for themselves.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import pkgutil
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests import benchmarks
from tests.benchmarks.harness import Row, measure_module

RESULTS = Path(__file__).resolve().parents[2] / ".bench" / "results.json"
SHARED = {"__main__", "harness"}


def modules() -> dict[str, tuple[str, ...]]:
    """Each benchmark's name and the ids of its rows."""
    found = {}
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if module.name.startswith("side_"):
            continue  # a contestant's own process imports it, with Django set up
        ids = getattr(importlib.import_module(f"{benchmarks.__name__}.{module.name}"), "IDS", ())
        if module.name not in SHARED and ids:
            found[module.name] = tuple(ids)
    return found


def run(name: str, ids: list[str]) -> list[Row]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        try:
            rows = process.submit(measure_module, name, ids).result()
        except Exception as error:  # noqa: BLE001 - a row that can't be measured is a row that does not hold
            why, rows = f"{type(error).__name__}: {error}", []
        else:
            why = "it was not measured"
    missing = [id_ for id_ in ids if id_ not in {row["id"] for row in rows}]
    return rows + [
        Row(id=id_, what=why, ours=None, peer=None, ratio=None, bar=0, holds=False, error=why)
        for id_ in missing
    ]


def show(rows: list[Row]) -> None:
    table = Table()
    for heading in ("id", "what", "ours", "peer", "ratio", "bar", "holds"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        figures = [
            "-" if figure is None else f"{figure:,.3g}" for figure in (row["ours"], row["peer"], row["ratio"])
        ]
        verdict = "[green]yes[/]" if row["holds"] else "[red]NO[/]"
        table.add_row(row["id"], row["what"], *figures, f"{row['bar']:,.3g}", verdict)
    Console().print(table)


def main() -> int:
    wanted = {id_ for argument in sys.argv[1:] for id_ in argument.split(",") if id_}
    known = modules()
    if unknown := wanted - {id_ for ids in known.values() for id_ in ids}:
        sys.stderr.write(f"No benchmark is called {', '.join(sorted(unknown))}.\n")
        return 2
    rows: list[Row] = []
    for name, ids in known.items():
        if chosen := [id_ for id_ in ids if not wanted or id_ in wanted]:
            sys.stderr.write(f"measuring {', '.join(chosen)}\n")
            rows += run(name, chosen)
    show(rows)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=2))
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
