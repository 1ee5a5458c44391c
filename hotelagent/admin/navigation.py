"""The sidebar menu of an admin site. Its groups are named after the jobs of staff.

A menu item opens a page. Pages that belong together share one item, so that the menu is short: the first page is the
item, and the pages show a row of tabs. The attributes of a model's admin class say where its list is:

    icon = "mail"
    menu_group = Group.EMAILS
    menu_order = 10
    tab_of = "admin:reminders_rule_changelist"  # only for a page that is a tab of another page

Other pages are registered in `AppConfig.ready()`:

    navigation.register(Page(title=_("Room board"), url_name="admin:locks_board", scope="locks:read",
                             group=Group.FRONT_DESK, icon="calendar_view_week", order=10))
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

DEFAULT_ICON = "table_rows"


class Group(TextChoices):
    """The groups of the menus of both sites, in the order of the menus. A group without items is not shown."""

    FRONT_DESK = "front_desk", _("Front desk")
    HOTELS = "hotels", _("Hotels")
    EMAILS = "emails", _("Guests and e-mails")
    PROBLEMS = "problems", _("Problems")
    SETUP = "setup", _("Hotel set-up")
    OPERATION = "operation", _("Schedule and flags")
    ACCESS = "access", _("Audit and access")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the menu. Only users who have the scope see the page.

    If this page has no menu item, but is a tab under the menu item of another page, `tab_of` is the URL name of that
    page. `item_title` is the title of the menu item of a page with tabs. If `item_title` is empty, the menu item has
    the title of the page.
    """

    title: str | Promise
    url_name: str
    scope: str
    group: Group
    icon: str = DEFAULT_ICON
    order: int = 0
    tab_of: str = ""
    item_title: str | Promise = ""


@dataclass(frozen=True, slots=True)
class _Link:
    """A page that the user may open, with its URL."""

    page: Page
    url: str

    @property
    def title(self) -> str:
        return str(self.page.title)


_pages: list[Page] = []


def register(page: Page) -> None:
    """Add a page to the sidebar menu of the admin."""
    if page not in _pages:
        _pages.append(page)


def menu(request: HttpRequest, registry: dict[Any, Any]) -> list[dict[str, Any]]:
    """Return the groups of the sidebar menu in unfold's format, with the items that the user may see.

    The key `tabs` of an item contains the pages of the item. The key `active` of an item and of a tab says whether the
    tab is the current page, or the list of the object that the current page shows.
    """
    links = list(_links(request, registry))
    current = _current_url(request.path, [link.url for link in links])
    links_by_item: dict[str, list[_Link]] = defaultdict(list)
    for link in sorted(links, key=lambda link: (bool(link.page.tab_of), link.page.order, link.title)):
        links_by_item[link.page.tab_of or link.page.url_name].append(link)
    items_by_group: dict[Group, list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    for first, *others in links_by_item.values():
        item = _item(first, others, current)
        items_by_group[first.page.group].append((first.page.order, item))
    return [
        {
            "title": str(group.label),
            "separator": False,
            "items": [
                item for _order, item in sorted(items, key=lambda entry: (entry[0], entry[1]["title"]))
            ],
        }
        for group in Group
        if (items := items_by_group[group])
    ]


def tabs(groups: list[dict[str, Any]], path: str) -> list[dict[str, Any]]:
    """Return the tabs of the page at this path, or an empty list if the page has no tabs."""
    for group in groups:
        for item in group["items"]:
            if len(item["tabs"]) > 1 and any(tab["link"] == path for tab in item["tabs"]):
                return list(item["tabs"])
    return []


def _links(request: HttpRequest, registry: dict[Any, Any]) -> Iterator[_Link]:
    for model, model_admin in registry.items():
        if not model_admin.has_view_permission(request) or not model_admin.in_menu:
            continue
        url_name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
        page = Page(
            title=capfirst(str(model._meta.verbose_name_plural)),
            url_name=url_name,
            scope="",
            group=model_admin.menu_group,
            icon=model_admin.icon,
            order=model_admin.menu_order,
            tab_of=model_admin.tab_of,
            item_title=model_admin.item_title,
        )
        yield _Link(page, reverse(url_name))
    for page in _pages:
        if page.scope in getattr(request.user, "scopes", ()) and (url := _url(page)):
            yield _Link(page, url)


def _item(first: _Link, others: list[_Link], current: str) -> dict[str, Any]:
    tabs = [
        {"title": link.title, "link": link.url, "active": link.url == current} for link in (first, *others)
    ]
    return {
        "title": str(first.page.item_title) or first.title,
        "link": first.url,
        "icon": first.page.icon,
        "active": any(tab["active"] for tab in tabs),
        "has_permission": True,
        "tabs": tabs,
    }


def _current_url(path: str, urls: list[str]) -> str:
    """Return the longest URL with which the path starts, or an empty string.

    The URL of the start page is returned only for the start page itself, because every path starts with this URL.
    """
    start_page = reverse("admin:index")
    matching = [url for url in urls if path == url or (url != start_page and path.startswith(url))]
    return max(matching, key=len, default="")


def _url(page: Page) -> str | None:
    try:
        return reverse(page.url_name)
    except NoReverseMatch:  # the page is not on this admin site
        return None
