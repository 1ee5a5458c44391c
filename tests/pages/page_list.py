"""The HTML pages of a host. The URLs come from the URL configuration, so new pages are covered automatically."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from types import ModuleType
from typing import Any

from django.contrib.admin import AdminSite
from django.test import Client
from django.urls import URLPattern, URLResolver

#: A function that returns the values of a URL parameter. Its arguments are the route, and the page's model or None.
Values = Callable[[str, Any], Iterable[str]]

#: Responses to GET requests that contain no page: redirects, and URLs that accept only POST or only some roles.
WITHOUT_PAGE = {
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.METHOD_NOT_ALLOWED,
}
#: Pages that only a link in an e-mail opens, because the query string must contain a valid token.
NEEDS_TOKEN = {"/admin/invitation/", "/admin/support/"}
PARAMETER = re.compile(r"(<(?:\w+:)?(\w+)>)")


@dataclass(frozen=True, slots=True)
class Route:
    """A route with its complete URL pattern. `model` is the model of an admin page, or None."""

    pattern: str
    model: Any = None


def routes(urls: ModuleType, site: AdminSite) -> list[Route]:
    """Return the routes of a host that lead to pages. Routes of the API and Django's catch-all route are left out."""
    found = list(_routes(urls.urlpatterns, "/", site))
    return [
        route for route in found if not route.pattern.startswith("/api/v") and "(?P<" not in route.pattern
    ]


def _routes(patterns: Iterable[Any], prefix: str, site: AdminSite, model: Any = None) -> Iterator[Route]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$")
        if isinstance(pattern, URLPattern):
            yield Route(path, model)
        elif isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, path, site, _model_of(path, site) or model)


def _model_of(path: str, site: AdminSite) -> Any:
    names = {f"/admin/{model._meta.app_label}/{model._meta.model_name}/": model for model in site._registry}
    return names.get(path)


def paths_of(route: Route, values: Values) -> list[str]:
    """Return the paths of the route with example values for its parameters."""
    paths = [route.pattern]
    for parameter, name in PARAMETER.findall(route.pattern):
        examples = list(values(name, route.model))
        assert examples, f"Add an example row for {route.pattern}"
        paths = [path.replace(parameter, value) for path in paths for value in examples]
    return paths


def open_paths(client: Client, paths: Iterable[str]) -> Iterator[str]:
    """Yield the paths whose response is an HTML page. Every other response must be listed in `WITHOUT_PAGE`."""
    for path in paths:
        response = client.get(path)
        if path in NEEDS_TOKEN and response.status_code == HTTPStatus.NOT_FOUND:
            continue
        if response.status_code in WITHOUT_PAGE:
            continue
        assert response.status_code == HTTPStatus.OK, f"{path} has the status {response.status_code}"
        if _is_page(response):
            yield path


def _is_page(response: Any) -> bool:
    """Return whether the response is a whole HTML document, and neither a file nor a part of a page for htmx."""
    return response.headers["Content-Type"].startswith("text/html") and b"<html" in response.content
