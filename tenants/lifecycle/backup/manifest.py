"""What a backup says of itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tenants.lifecycle.backup.errors import BackupDamaged


@dataclass(frozen=True, slots=True)
class Table:
    """A table's rows: the text of COPY with these columns, in the order of the key; its digest and its length."""

    name: str
    columns: list[str]
    key: list[str]
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Sequence:
    name: str
    last_value: int
    is_called: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """`hotel` is its row of the shared table, `shared` are its rows of the others; `tables` are its schema's."""

    made_at: str
    version: str
    server_version: int
    platform_host: str
    masked: bool
    hotel: dict[str, Any]
    migrations: list[str]
    definitions: dict[str, str]
    tables: list[Table]
    sequences: list[Sequence]
    shared: list[Table]

    @property
    def slug(self) -> str:
        return str(self.hotel["slug"])

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Manifest:
        try:
            nested = {
                "tables": [Table(**table) for table in document["tables"]],
                "sequences": [Sequence(**sequence) for sequence in document["sequences"]],
                "shared": [Table(**table) for table in document["shared"]],
            }
            return cls(**{**document, **nested})
        except (KeyError, TypeError) as error:
            raise BackupDamaged(f"Its manifest is not one that this version writes: {error}.") from error
