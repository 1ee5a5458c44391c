"""The first page of a hotel's admin: a card for each figure, from whichever app knows it.

An app registers in its `AppConfig.ready()`:

    dashboard.register(arrivals_today)      # def arrivals_today(request) -> Card | None
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest
from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class Card:
    """One figure: `title` says what, `value` how much, `note` what it means or of how many, `url` where it is shown.

    `icon` is a Material Symbols name; `tone` is `plain`, `good` or `bad`; `scope` is what a person needs to see it.
    """

    title: str | Promise
    value: str | int
    scope: str
    note: str | Promise = ""
    url: str = ""
    icon: str = "monitoring"
    tone: str = "plain"
    order: int = 100


Maker = Callable[[HttpRequest], Card | None]
_makers: list[Maker] = []


def register(maker: Maker) -> Maker:
    """Show the card that `maker` makes, or none where it returns None. Usable as a decorator."""
    if maker not in _makers:
        _makers.append(maker)
    return maker


def cards(request: HttpRequest) -> list[Card]:
    """The cards that this person may see, by `order`, then as registered."""
    made = (maker(request) for maker in _makers)
    allowed = getattr(request.user, "scopes", frozenset())
    return sorted((card for card in made if card and card.scope in allowed), key=lambda card: card.order)
