"""The benchmark runner. `make bench` measures all rows of the result table.

`make bench ONLY=id,id` measures only the rows with these ids. Each benchmark is a module. Its constant `IDS` lists the
ids of its rows, and its function `measure(ids)` returns the rows. Each benchmark runs in a separate process. The runner
prints the results and writes them to `.bench/results.json`.
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
NOT_BENCHMARKS = {"__main__", "harness"}


def benchmark_ids() -> dict[str, tuple[str, ...]]:
    """Return a dictionary that maps the name of each benchmark module to the ids of its result rows."""
    benchmark_modules = {}
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if module.name.startswith("side_"):
            continue  # contestants.py imports these modules in separate processes
        ids = getattr(importlib.import_module(f"{benchmarks.__name__}.{module.name}"), "IDS", ())
        if module.name not in NOT_BENCHMARKS and ids:
            benchmark_modules[module.name] = tuple(ids)
    return benchmark_modules


def run(name: str, ids: list[str]) -> list[Row]:
    """Run one benchmark in a new process and return its result rows.

    If a row could not be measured, the returned row contains the error message and counts as a row that misses its
    target.
    """
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        try:
            rows = process.submit(measure_module, name, ids).result()
        except Exception as error:  # noqa: BLE001 - whatever fails, the row does not hold
            reason, rows = f"{type(error).__name__}: {error}", []
        else:
            reason = "the benchmark returned no such row"
    missing = [id_ for id_ in ids if id_ not in {row["id"] for row in rows}]
    return rows + [
        Row(id=id_, what=reason, ours=None, peer=None, ratio=None, bar=0, holds=False, error=reason)
        for id_ in missing
    ]


def print_table(rows: list[Row]) -> None:
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
    requested = {id_ for argument in sys.argv[1:] for id_ in argument.split(",") if id_}
    known = benchmark_ids()
    if unknown := requested - {id_ for ids in known.values() for id_ in ids}:
        sys.stderr.write(f"Unknown benchmark: {', '.join(sorted(unknown))}.\n")
        return 2
    rows: list[Row] = []
    for name, ids in known.items():
        if chosen := [id_ for id_ in ids if not requested or id_ in requested]:
            sys.stderr.write(f"measuring {', '.join(chosen)}\n")
            rows += run(name, chosen)
    print_table(rows)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=2))
    return 0 if all(row["holds"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
