"""A bar for people, a line a hotel for logs, nothing for --json."""

import contextlib
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from tenants.lifecycle.fleet.migrate_hotels import Progress as Told


@contextlib.contextmanager
def shown(total: int, *, stream: Any, verbosity: int) -> Iterator[Told]:
    """What to call with each hotel as it is done."""
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

            def tell(_slug: str, error: str | None) -> None:
                nonlocal failed
                failed += error is not None
                bar.update(task, advance=1, failed=failed)

            yield tell
