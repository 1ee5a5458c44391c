"""The manifest of a backup: a list of the file's contents with their SHA-256 digests."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tenants.lifecycle.backup.errors import CorruptBackup


@dataclass(frozen=True, slots=True)
class Table:
    """The manifest entry of a table: the number and the SHA-256 of its rows in COPY format, sorted by `key`."""

    name: str
    columns: list[str]
    key: list[str]
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """The manifest entry of a sequence: its last value, and whether that value has been used."""

    name: str
    last_value: int
    is_called: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of a backup.

    `hotel` is the hotel's row in the table `tenants_hotel`. `tables` lists the tables of the hotel's schema. `shared`
    lists the shared tables, except `tenants_hotel`, that contain rows of the hotel. `definitions` contains the SHA-256
    of each SQL script.
    """

    created_at: str
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
        """Return the total number of rows in the hotel's schema."""
        return sum(table.rows for table in self.tables)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Manifest:
        """Return the Manifest that a JSON document contains. Raises CorruptBackup if a field is missing or unknown."""
        try:
            nested = {
                "tables": [Table(**table) for table in document["tables"]],
                "sequences": [Sequence(**sequence) for sequence in document["sequences"]],
                "shared": [Table(**table) for table in document["shared"]],
            }
            return cls(**{**document, **nested})
        except (KeyError, TypeError) as error:
            raise CorruptBackup(f"The manifest of the backup has unexpected fields: {error}.") from error
