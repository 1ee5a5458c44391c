"""The first page of an admin: a card for each figure, and below them panels, from whichever app knows it.

An app's `cards.py` registers what makes a card:

    @dashboard.register(scope="locks:read", order=20)
    def rooms_occupied(request: HttpRequest) -> Card:
        return Card(title=_("Rooms occupied"), value=..., note=..., url=reverse(...), icon="bed")

A panel is registered with `register_panel` in the same way, and is a template with what it shows.

Either runs in the hotel's context (the platform's, where the scope is one that only platform staff hold), at each view
of the page: one indexed query.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

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


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of the page with a form of its own; `stylesheet` is the static file that it needs."""

    template: str
    context: dict[str, Any]
    stylesheet: str = ""


Maker = Callable[[HttpRequest], Card | None]
PanelMaker = Callable[[HttpRequest], Panel | None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Registered(Generic[T]):
    order: int
    scope: str
    maker: Callable[[HttpRequest], T | None]


_registered: list[_Registered[Card]] = []
_panels: list[_Registered[Panel]] = []


def register(*, scope: str, order: int = 100) -> Callable[[Maker], Maker]:
    """Show the card that the function makes to who holds `scope`; none where it returns None."""

    def add(maker: Maker) -> Maker:
        _registered.append(_Registered(order, scope, maker))
        return maker

    return add


def register_panel(*, scope: str, order: int = 100) -> Callable[[PanelMaker], PanelMaker]:
    """Show the panel that the function makes to who holds `scope`; none where it returns None."""

    def add(maker: PanelMaker) -> PanelMaker:
        _panels.append(_Registered(order, scope, maker))
        return maker

    return add


def cards(request: HttpRequest) -> list[Card]:
    """The cards that this person may see; the others are not even made."""
    return _made(_registered, request)


def panels(request: HttpRequest) -> list[Panel]:
    """The panels that this person may see."""
    return _made(_panels, request)


def _made(registered: list[_Registered[T]], request: HttpRequest) -> list[T]:
    allowed: frozenset[str] = getattr(request.user, "scopes", frozenset())
    entries = sorted((entry for entry in registered if entry.scope in allowed), key=lambda entry: entry.order)
    return [made for entry in entries if (made := entry.maker(request)) is not None]
