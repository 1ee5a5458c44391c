"""The first page of an admin: a card for each figure, from whichever app knows it.

An app's `cards.py` registers what makes a card:

    @dashboard.register(scope="locks:read", order=20)
    def rooms_occupied(request: HttpRequest) -> Card:
        return Card(title=_("Rooms occupied"), value=..., note=..., url=reverse(...), icon="bed")

It runs in the hotel's context (the platform's, where the scope is one that only platform staff hold), at each view
of the page: one indexed query.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from django.http import HttpRequest
from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Card:
    """One figure: `title` says what, `value` how much, `note` of how many or since when, `url` where it is shown.

    `icon` is the name of a Material Symbol.
    """

    title: str | Promise
    value: str | int
    note: str | Promise = ""
    url: str = ""
    icon: str = "monitoring"
    tone: Literal["plain", "good", "bad"] = "plain"


Maker = Callable[[HttpRequest], Card | None]


@dataclass(frozen=True, slots=True)
class _Registered:
    order: int
    scope: str
    maker: Maker


_registered: list[_Registered] = []


def register(*, scope: str, order: int = 100) -> Callable[[Maker], Maker]:
    """Show the card that the function makes to who holds `scope`; none where it returns None."""

    def add(maker: Maker) -> Maker:
        _registered.append(_Registered(order, scope, maker))
        return maker

    return add


def cards(request: HttpRequest) -> list[Card]:
    """The cards that this person may see; the others are not even made."""
    allowed: frozenset[str] = getattr(request.user, "scopes", frozenset())
    makers = sorted((entry for entry in _registered if entry.scope in allowed), key=lambda entry: entry.order)
    return [card for entry in makers if (card := entry.maker(request)) is not None]
