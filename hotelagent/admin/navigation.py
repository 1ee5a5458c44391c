"""The sidebar menu of an admin site. It lists the models, grouped by app, and other pages.

The `icon`, `in_menu` and `menu_order` of a model are attributes of its admin class. Other pages are registered in
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
#: Menu titles of third-party apps, used instead of the `verbose_name` of the app.
APP_TITLES: dict[str, str | Promise] = {
    "django_celery_beat": _("Schedule"),
    "waffle": _("Flags"),
}


@dataclass(frozen=True, slots=True)
class Page:
    """A menu item in the group of an app. Only users who have the scope see the item."""

    title: str | Promise
    url_name: str
    scope: str
    app_label: str
    icon: str = DEFAULT_ICON
    order: int = 0


_pages: list[Page] = []


def register(page: Page) -> None:
    """Add a page to the sidebar menu of the admin."""
    if page not in _pages:
        _pages.append(page)


def menu(
    request: HttpRequest,
    registry: dict[Any, Any],
    *,
    titles: dict[str, str | Promise],
    app_order: tuple[str, ...],
) -> list[dict[str, Any]]:
    """Return the groups of the sidebar menu in unfold's format, with the items that the user may see."""
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
        if page.scope in getattr(request.user, "scopes", ()) and (url := _url(page)):
            item = _item(title=str(page.title), link=url, icon=page.icon)
            entries.setdefault(page.app_label, []).append((page.order, str(page.title), item))
    _mark_current(request, [item for items in entries.values() for *_key, item in items])
    return [
        {
            "title": capfirst(str(titles.get(label) or apps.get_app_config(label).verbose_name)),
            "separator": False,
            "items": [item for *_key, item in sorted(items, key=lambda entry: entry[:2])],
        }
        for label, items in sorted(entries.items(), key=lambda entry: position(entry[0], app_order))
    ]


def _item(*, title: str, link: str, icon: str) -> dict[str, Any]:
    return {
        "title": title,
        "link": link,
        "icon": icon,
        "active": False,
        "has_permission": True,
    }


def _mark_current(request: HttpRequest, items: list[dict[str, Any]]) -> None:
    """Mark the menu item of the current page: the item with the longest URL that the page's path starts with."""
    matching = [item for item in items if request.path.startswith(item["link"])]
    if matching:
        max(matching, key=lambda item: len(item["link"]))["active"] = True


def _url(page: Page) -> str | None:
    try:
        return reverse(page.url_name)
    except NoReverseMatch:  # the page belongs to the other site
        return None


def position(label: str, app_order: tuple[str, ...]) -> int:
    """Return the index of an app in `app_order`. Apps that are not listed come last."""
    return app_order.index(label) if label in app_order else len(app_order)
