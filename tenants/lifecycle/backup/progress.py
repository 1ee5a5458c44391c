"""Which table is being worked at, for people; nothing for scripts and logs."""

import contextlib
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from tenants.lifecycle.backup.create import Progress as Told


@contextlib.contextmanager
def shown(title: str, *, stream: Any, quiet: bool) -> Iterator[Told]:
    console = Console(file=getattr(stream, "_out", stream))
    if quiet or not console.is_terminal:
        yield lambda _table, _rows: None
        return
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        done = 0

        def tell(table: str, rows: int) -> None:
            nonlocal done
            done += rows
            bar.update(task, description=f"{title}: {done} rows, last {table}")

        yield tell
