"""The menu of an admin site: its models by area, and the pages that show more than one model does.

A model's place is what its admin class says (`icon`, `menu_order`); a page of another kind is registered in
`AppConfig.ready()`:

    navigation.register(Page(title=_("Room board"), url_name="admin:locks_board", scope="locks:read",
                             app_label="locks", icon="calendar_view_week", order=0))
"""

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

DEFAULT_ICON = "table_rows"
#: What an area is called here, where its app's own name says it worse.
TITLES: dict[str, str | Promise] = {
    "django_celery_beat": _("Schedule"),
    "waffle": _("Flags"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """A page of its own beside the models of an app; shown to who holds `scope`, where its address exists."""

    title: str | Promise
    url_name: str
    scope: str
    app_label: str
    icon: str = DEFAULT_ICON
    order: int = 0


_pages: list[Page] = []


def register(page: Page) -> None:
    if page not in _pages:
        _pages.append(page)


def menu(
    request: HttpRequest,
    registry: dict[Any, Any],
    *,
    titles: dict[str, str | Promise],
    areas: tuple[str, ...],
) -> list[dict[str, Any]]:
    """The groups of the side bar, as unfold wants them; what a person may not see isn't in it."""
    entries: dict[str, list[tuple[int, str, dict[str, Any]]]] = {}
    for model, model_admin in registry.items():
        label = model._meta.app_label
        if not model_admin.has_view_permission(request) or not model_admin.in_menu:
            continue
        title = str(capfirst(model._meta.verbose_name_plural))
        link = reverse(f"admin:{label}_{model._meta.model_name}_changelist")
        item = _item(title=title, link=link, icon=model_admin.icon)
        entries.setdefault(label, []).append((model_admin.menu_order, title, item))
    for page in _pages:
        if page.scope in getattr(request.user, "scopes", ()) and (address := _address(page)):
            item = _item(title=str(page.title), link=address, icon=page.icon)
            entries.setdefault(page.app_label, []).append((page.order, str(page.title), item))
    _mark_one(request, [item for items in entries.values() for *_key, item in items])
    return [
        {
            "title": capfirst(str(titles.get(label) or apps.get_app_config(label).verbose_name)),
            "separator": False,
            "items": [item for *_key, item in sorted(items, key=lambda entry: entry[:2])],
        }
        for label, items in sorted(entries.items(), key=lambda entry: area(entry[0], areas))
    ]


def _item(*, title: str, link: str, icon: str) -> dict[str, Any]:
    return {
        "title": title,
        "link": link,
        "icon": icon,
        "active": False,
        "has_permission": True,
    }


def _mark_one(request: HttpRequest, items: list[dict[str, Any]]) -> None:
    """The page that is open is the longest address that fits: the room board stands below the rooms."""
    fitting = [item for item in items if request.path.startswith(item["link"])]
    if fitting:
        max(fitting, key=lambda item: len(item["link"]))["active"] = True


def _address(page: Page) -> str | None:
    try:
        return reverse(page.url_name)
    except NoReverseMatch:  # the page belongs to the other site
        return None


def area(label: str, areas: tuple[str, ...]) -> int:
    """An app's place among the areas; apps we don't know come last."""
    return areas.index(label) if label in areas else len(areas)
