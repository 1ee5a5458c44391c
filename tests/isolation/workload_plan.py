"""The input and the output of the isolation workload."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

OURS = "tenants.database.backend"
PEER = "django_tenants.postgresql_backend"


@dataclass(frozen=True)
class WorkloadPlan:
    """The input: `url` is that of a pooler or the server. `kinds` limits the operations by name; empty means all."""

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
    """The output: how often each operation was done, met another hotel's rows, or failed."""

    done: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    committed: int = 0
    seconds: float = 0.0
