"""A text with places in it, to be filled guest by guest: what is the same for all of them is made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Pieces:
    """`texts` has one more than `names`, which say what stands between them."""

    texts: tuple[str, ...]
    names: tuple[str, ...]

    def filled(self, values: Mapping[str, Any], *, write: Callable[[Any], str] = str) -> str:
        parts = [""] * (2 * len(self.names) + 1)
        parts[::2] = self.texts
        parts[1::2] = [write(values[name]) for name in self.names]
        return "".join(parts)
