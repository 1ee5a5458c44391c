"""The URL paths of a published transparency log (https://c2sp.org/tlog-tiles).

A path names a tile (a block of up to 256 hashes), or a bundle with the entries of a tile.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from audit.transparency.errors import InvalidTile
from audit.transparency.tiles import TILE_WIDTH, Tile

#: The maximum size of an entry in bytes, because a bundle of entries stores the size of each entry in two bytes.
MAX_ENTRY_SIZE = 0xFFFF

_NUMBER = r"(?:x[0-9]{3}/){0,5}[0-9]{3}"  # up to 18 digits
_PATH = re.compile(
    rf"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<number>{_NUMBER})(?:\.p/(?P<width>[1-9][0-9]{{0,2}}))?"
)
_MAX_LEVEL = 63


class TilePath(NamedTuple):
    """The path of a tile (a block of hashes), or of the bundle with the entries of a tile if `level` is None.

    `width` is the number of hashes or entries: 256 for a full tile.
    """

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
        """Return the tile at this path. For a bundle of entries, return the tile with the hashes of the entries."""
        return Tile(self.level or 0, self.number)


def parse_tile_path(path: str) -> TilePath:
    """Parse the path of a tile, such as `tile/0/x001/067.p/5`. Raises InvalidTile if the text is not such a path."""
    match = _PATH.fullmatch(path)
    if match:
        level = None if match["level"] == "entries" else int(match["level"])
        number = int(match["number"].replace("x", "").replace("/", ""))
        parsed = TilePath(level, number, int(match["width"] or TILE_WIDTH))
        # A path with unnecessary leading zeros is refused, because `Tile.path` never contains such zeros.
        if str(parsed) == path and (level or 0) <= _MAX_LEVEL:
            return parsed
    raise InvalidTile("The path is not the path of a tile.")


def encode_bundle(entries: Iterable[bytes]) -> bytes:
    """Return one byte string with all entries. The size of each entry is in the two bytes before the entry.

    Raises InvalidTile if an entry has more than 65,535 bytes.
    """
    parts = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_SIZE:
            raise InvalidTile(f"The entry has {len(entry)} bytes. At most {MAX_ENTRY_SIZE} are allowed.")
        parts += [len(entry).to_bytes(2, "big"), entry]
    return b"".join(parts)
