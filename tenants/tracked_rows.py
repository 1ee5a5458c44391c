"""Declarations of the tables whose changed rows database triggers record in the audit trail.

Each app declares its tables in its `personal_data.py`, because the declaration also says which columns are personal or
secret. The app `audit` installs the triggers (`audit.row_changes`).
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackedTable:
    """A table whose changed rows are recorded, with the columns that are recorded.

    kind: the kind of the rows as subjects of events.
    plain, personal, secret: the columns. The values of secret columns are never stored in the trail, and the values of
        personal columns can be erased from it. The primary key is recorded too.
    ignored: the columns whose changes are not recorded.
    """

    name: str
    kind: str
    plain: tuple[str, ...]
    personal: tuple[str, ...] = ()
    secret: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    key: str = "id"

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the recorded columns without the primary key, in the order that the digest of a row uses."""
        return self.plain + self.personal + self.secret


_tables: dict[str, TrackedTable] = {}


def declare_tracked_rows(
    table: str,
    *,
    kind: str,
    plain: Iterable[str],
    personal: Iterable[str] = (),
    secret: Iterable[str] = (),
    ignored: Iterable[str] = (),
) -> None:
    """Declare that the changed rows of a table are recorded (see TrackedTable).

    A table with personal columns must have a secret column with random values, because the digest of a row is never
    erased. Without a secret value, anyone could guess the erased values and check the guess with the digest. Raises
    ValueError if the secret column is missing.
    """
    if personal and not secret:
        raise ValueError(f"{table}: a table with personal columns needs a secret column with a random value.")
    _tables[table] = TrackedTable(table, kind, tuple(plain), tuple(personal), tuple(secret), tuple(ignored))


def tracked_tables() -> list[TrackedTable]:
    """Return the declared tables, ordered by name."""
    return [_tables[name] for name in sorted(_tables)]
