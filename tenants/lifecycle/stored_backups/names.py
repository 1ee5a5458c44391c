"""The names of stored backups, which contain the target and the time of the backup.

A name looks like `hotelagent-hotels.example/hotels/<id>/20261130T021500123456Z.hotel.age`. The first part identifies
the deployment, because several deployments may share a folder or bucket. Objects whose names do not have this form do
not belong to us, and are never deleted.
"""

import datetime
import re
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from django.conf import settings


class Kind(StrEnum):
    """What a backup contains: one hotel, the platform's own tables, the whole database, or the whole server."""

    HOTEL = "hotel"
    PLATFORM = "platform"
    DATABASE = "database"
    SERVER = "server"


#: The suffix of the decrypted file of each kind.
SUFFIXES = {
    Kind.HOTEL: ".hotel",
    Kind.PLATFORM: ".platform",
    Kind.DATABASE: ".database",
    Kind.SERVER: ".tar.gz",
}
_TIME_FORMAT = "%Y%m%dT%H%M%S%fZ"
_NAME = re.compile(
    r"(?P<target>hotels/[0-9a-f]{32}|platform|database|server)/(?P<time>\d{8}T\d{12}Z)"
    r"(?P<suffix>\.hotel|\.platform|\.database|\.tar\.gz)\.age"
)


@dataclass(frozen=True, slots=True)
class StoredBackup:
    """A complete backup in the storage. `size` is the number of encrypted bytes."""

    name: str
    target: str
    created_at: datetime.datetime
    size: int = 0

    @property
    def kind(self) -> Kind:
        return kind_of(self.target)

    @property
    def hotel_id(self) -> UUID | None:
        return UUID(self.target.partition("/")[2]) if self.kind is Kind.HOTEL else None


def hotel_target(hotel_id: UUID) -> str:
    """Return the name of the target whose backups contain this hotel."""
    return f"hotels/{hotel_id.hex}"


def kind_of(target: str) -> Kind:
    return Kind.HOTEL if target.startswith("hotels/") else Kind(target)


def deployment_prefix() -> str:
    """Return the first part of the names of this deployment's backups, with the final slash."""
    return f"{settings.DATABASE_ROLE_PREFIX}-{settings.PLATFORM_HOST}/"


def make_name(target: str, created_at: datetime.datetime) -> str:
    """Return the name of a backup that is made at this time."""
    time = created_at.astimezone(datetime.UTC).strftime(_TIME_FORMAT)
    return f"{deployment_prefix()}{target}/{time}{SUFFIXES[kind_of(target)]}.age"


def parse_name(name: str, *, size: int = 0) -> StoredBackup | None:
    """Return the backup with this name, or None if the name is not that of a backup of this deployment."""
    prefix = deployment_prefix()
    match = _NAME.fullmatch(name.removeprefix(prefix)) if name.startswith(prefix) else None
    if match is None or SUFFIXES[kind_of(match["target"])] != match["suffix"]:
        return None
    try:
        created_at = datetime.datetime.strptime(match["time"], _TIME_FORMAT).replace(tzinfo=datetime.UTC)
    except ValueError:
        return None
    return StoredBackup(name, match["target"], created_at, size)
