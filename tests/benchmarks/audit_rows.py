"""The benchmark of recorded row changes: one UPDATE of many staff accounts.

hotelagent and django-pghistory update an equal table in one statement, record who made the change, and record each row
with database triggers that run once per statement. django-pghistory stores a copy of each new row. hotelagent stores
the old and new values of the changed columns, and two digests of each row.
"""

from __future__ import annotations

from tests.benchmarks.contestants import both
from tests.benchmarks.harness import Row, row_of_rounds, servers

IDS = ("audit-rows",)

ROWS = 10_000
ROUNDS = 15


def measure(ids: list[str]) -> list[Row]:
    with (
        servers() as running,
        both(
            running,
            ours="side_audit_rows",
            peer="side_pghistory",
            peer_settings="tests.benchmarks.peer_history.settings",
            environment={"LOG_LEVEL": "ERROR", "DEBUG": "0"},
        ) as sides,
    ):
        for side in sides:
            side("add_rows", ROWS)
            side("update_rows", 0, ROWS)
        rounds = [
            [side("update_rows", number, ROWS) * 1e3 for side in sides] for number in range(1, ROUNDS + 1)
        ]
    what = f"UPDATE of {ROWS:,} tracked rows, ms; peer: django-pghistory, triggers per statement"
    return [row_of_rounds("audit-rows", what, rounds, bar=1.2)]
