"""The input and the output of the isolation workload, which runs random operations for random hotels in many threads.

The tests and the program `run_workload` exchange the input and the output as JSON.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

OURS = "tenants.database.backend"
PEER = "django_tenants.postgresql_backend"


@dataclass(frozen=True)
class WorkloadPlan:
    """The input of the workload.

    `url` is the URL of a pooler or of the server. `kinds` lists the names of the operations to run. If the
    list is empty, all operations are run.
    """

    engine: str
    url: str
    database: dict[str, Any]
    operations: int
    threads: int = 16
    seed: int = 1
    kinds: list[str] = field(default_factory=list)
    roles: bool = True


@dataclass
class WorkloadResult:
    """The output of the workload: how often each operation ran, reached another hotel's rows, or failed."""

    done: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    committed: int = 0
    seconds: float = 0.0
