"""The start page of an admin site. Apps register cards with one figure each, and larger panels, for this page.

The module `cards.py` of an app registers a function for each card. The function returns None to show no card:

    @dashboard.register_card(scope="locks:read", order=20)
    def rooms_occupied(request: HttpRequest) -> Card | None:
        return Card(title=_("Rooms occupied"), value=..., icon="bed")

The functions should execute one indexed query each, because they run each time the page is opened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from django.http import HttpRequest
from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Card:
    """A card with one number on the start page of the admin.

    `value` is the number and `title` is its name. `note` is a second line, such as a total or a date. `url` is the
    page that lists the counted rows. `icon` is the name of a Material Symbol.
    """

    title: str | Promise
    value: str | int
    note: str | Promise = ""
    url: str = ""
    icon: str = "monitoring"
    tone: Literal["plain", "good", "bad"] = "plain"


@dataclass(frozen=True, slots=True)
class Panel:
    """A section of the start page with its own template. `stylesheet` is the path of a static file, or empty."""

    template: str
    context: dict[str, Any]
    stylesheet: str = ""


CardFactory = Callable[[HttpRequest], Card | None]
PanelFactory = Callable[[HttpRequest], Panel | None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Registration(Generic[T]):
    order: int
    scope: str
    factory: Callable[[HttpRequest], T | None]


_cards: list[_Registration[Card]] = []
_panels: list[_Registration[Panel]] = []


def register_card(*, scope: str, order: int = 100) -> Callable[[CardFactory], CardFactory]:
    """Return a decorator that registers a function that builds a card of the start page.

    Only users with this scope see the card. The cards are sorted by `order`.
    """

    def decorator(factory: CardFactory) -> CardFactory:
        _cards.append(_Registration(order, scope, factory))
        return factory

    return decorator


def register_panel(*, scope: str, order: int = 100) -> Callable[[PanelFactory], PanelFactory]:
    """Return a decorator that registers a panel function for users with the scope.

    Panels are sorted by `order`. Panels with a negative order are shown above the cards, all others below.
    """

    def decorator(factory: PanelFactory) -> PanelFactory:
        _panels.append(_Registration(order, scope, factory))
        return factory

    return decorator


def cards_for(request: HttpRequest) -> list[Card]:
    """Return the cards of the start page for which the user has the required scope."""
    return _build(_cards, request)


def panels_for(request: HttpRequest) -> tuple[list[Panel], list[Panel]]:
    """Return the panels above the cards and the panels below the cards for which the user has the required scope."""
    return (
        _build([panel for panel in _panels if panel.order < 0], request),
        _build([panel for panel in _panels if panel.order >= 0], request),
    )


def _build(registrations: list[_Registration[T]], request: HttpRequest) -> list[T]:
    scopes: frozenset[str] = getattr(request.user, "scopes", frozenset())
    allowed = [registration for registration in registrations if registration.scope in scopes]
    results = [
        registration.factory(request) for registration in sorted(allowed, key=lambda entry: entry.order)
    ]
    return [result for result in results if result is not None]
