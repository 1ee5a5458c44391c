"""The resources of a published log (https://c2sp.org/tlog-tiles): the paths of tiles, and the bundles of entries."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from audit.transparency.errors import InvalidTile
from audit.transparency.tiles import TILE_WIDTH, Tile

#: The maximum size of an entry in bytes. A bundle stores the size of an entry in two bytes.
MAX_ENTRY_SIZE = 0xFFFF

_NUMBER = r"(?:x[0-9]{3}/){0,5}[0-9]{3}"  # up to 18 digits
_PATH = re.compile(
    rf"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<number>{_NUMBER})(?:\.p/(?P<width>[1-9][0-9]{{0,2}}))?"
)
_MAX_LEVEL = 63


class TilePath(NamedTuple):
    """The path of a tile, or of a bundle with the entries of a tile (level None). A full tile has the width 256."""

    level: int | None
    number: int
    width: int = TILE_WIDTH

    def __str__(self) -> str:
        number = self.number
        path = f"{number % 1000:03}"
        while number := number // 1000:
            path = f"x{number % 1000:03}/{path}"
        level = "entries" if self.level is None else self.level
        return f"tile/{level}/{path}" + (f".p/{self.width}" if self.width < TILE_WIDTH else "")

    @property
    def tile(self) -> Tile:
        """The tile itself. For a bundle of entries, the tile with the hashes of the entries."""
        return Tile(self.level or 0, self.number)


def parse_tile_path(path: str) -> TilePath:
    """Return the parts of a path such as `tile/0/x001/067.p/5`. Raises InvalidTile for other texts."""
    match = _PATH.fullmatch(path)
    if match:
        level = None if match["level"] == "entries" else int(match["level"])
        number = int(match["number"].replace("x", "").replace("/", ""))
        parsed = TilePath(level, number, int(match["width"] or TILE_WIDTH))
        # The number has no additional leading zeros and the level is not too high if the same path results.
        if str(parsed) == path and (level or 0) <= _MAX_LEVEL:
            return parsed
    raise InvalidTile("The path is not the path of a tile.")


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Return the entry bundle with these entries. Raises InvalidTile if an entry has more than 65,535 bytes."""
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_SIZE:
            raise InvalidTile(f"The entry has {len(entry)} bytes. At most {MAX_ENTRY_SIZE} are allowed.")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)
