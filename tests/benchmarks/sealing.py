"""Benchmarks of sealing and verifying an audit trail of 100,000 events.

For comparison, pymerkle builds and verifies a Merkle tree of the same events on SQLite.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.contestants import Contestant, create_database
from tests.benchmarks.harness import Row, row_of_rounds
from tests.benchmarks.holds import durable_servers

IDS = ("audit-seal", "audit-verify")

EVENTS = 100_000
ROUNDS = 3
DATABASE = "bench_ours"
_WHAT = {
    "audit-seal": f"sealing {EVENTS:,} events of a trail, s; peer: pymerkle on SQLite, the same events",
    "audit-verify": f"verifying {EVENTS:,} sealed events, s; peer: pymerkle on SQLite, the same events",
}


def measure(ids: list[str]) -> list[Row]:
    """Run the benchmarks of this module that `ids` lists, and return their result rows."""
    rounds: dict[str, list[list[float]]] = {id_: [] for id_ in IDS}
    with durable_servers() as running, tempfile.TemporaryDirectory() as folder:
        create_database(running, DATABASE)
        side = Contestant(
            "side_sealing",
            {
                **running.environment(DATABASE, 9),
                "DJANGO_SETTINGS_MODULE": "hotelagent.settings.development",
                "LOG_LEVEL": "ERROR",
                "DEBUG": "0",
            },
        )
        try:
            side("prepare")
            side("record_events", EVENTS)
            for number in range(ROUNDS):
                tree = str(Path(folder, f"tree-{number}"))
                side("discard_log")
                rounds["audit-seal"].append([side("seal"), side("seal_with_pymerkle", tree)])
                rounds["audit-verify"].append([side("verify", EVENTS), side("verify_with_pymerkle", tree)])
        finally:
            side.end()
    return [row_of_rounds(id_, _WHAT[id_], rounds[id_], bar=1.0) for id_ in ids]
