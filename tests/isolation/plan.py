"""What the isolation program is told, and what it tells."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

OURS = "tenants.database.backend"
PEER = "django_tenants.postgresql_backend"


@dataclass(frozen=True)
class Plan:
    """`url` is where statements go (a pooler or the server). `kinds`: names of operations, empty for all."""

    engine: str
    url: str
    world: dict[str, Any]
    operations: int
    threads: int = 16
    seed: int = 1
    kinds: list[str] = field(default_factory=list)
    roles: bool = True


@dataclass
class Result:
    done: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    committed: int = 0
    seconds: float = 0.0
