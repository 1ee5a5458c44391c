"""Progress displays of long commands: a bar or a spinner on a terminal."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextlib.contextmanager
def hotel_progress(total: int, *, stream: Any, verbosity: int) -> Iterator[Callable[[str, str | None], None]]:
    """Yield a function that must be called after each hotel with the hotel's slug and the error text or None.

    The function updates a bar on a terminal, and otherwise writes a line per hotel. If `verbosity` is 0, the function
    writes nothing.
    """
    console = Console(file=getattr(stream, "_out", stream))
    if not total or not verbosity:
        yield lambda _slug, _error: None
    elif not console.is_terminal:
        yield lambda slug, error: stream.write(f"  {slug}: {error or 'migrated'}")
    else:
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
            TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.fields[failed]} failed"),
        )  # fmt: skip
        with Progress(*columns, console=console) as bar:
            task = bar.add_task("Hotels", total=total, failed=0)
            failed = 0

            def update(_slug: str, error: str | None) -> None:
                nonlocal failed
                failed += error is not None
                bar.update(task, advance=1, failed=failed)

            yield update


@contextlib.contextmanager
def item_progress(title: str, total: int, *, stream: Any, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Yield a function that reports progress. Its argument is the number of items processed since the last call.

    The function updates a progress bar on a terminal, unless `quiet` is true.
    """
    console = Console(file=getattr(stream, "_out", stream))
    if quiet or not console.is_terminal:
        yield lambda _items: None
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda items: bar.update(task, advance=items)


@contextlib.contextmanager
def table_progress(title: str, *, stream: Any, quiet: bool) -> Iterator[Callable[[str, int], None]]:
    """Yield a function that must be called after each table with the table's name and number of rows.

    The function updates a spinner on a terminal, unless `quiet` is true.
    """
    console = Console(file=getattr(stream, "_out", stream))
    if quiet or not console.is_terminal:
        yield lambda _table, _rows: None
        return
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        total = 0

        def update(table: str, rows: int) -> None:
            nonlocal total
            total += rows
            bar.update(task, description=f"{title}: {total} rows, last table {table}")

        yield update
