"""A class that visits many URLs with one browser page, because opening a browser page for each URL is slow."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page

from tenants.models import User
from tests.browser import screenshot
from tests.pages.accessibility import colour_faults, layout_faults

#: Milliseconds for the page of the REST API, which shows a large document. It takes seconds on an idle machine.
DOCS_TIMEOUT = 120_000


@dataclass(frozen=True, slots=True)
class Screen:
    """The language of a user and the size of the user's screen."""

    language: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser that opens pages of the live server."""

    browser: Browser
    port: str

    def faults(
        self, client: Client, host: str, paths: Sequence[str], *, screens: Iterable[Screen]
    ) -> dict[str, list[str]]:
        """Open each path on each screen, as the logged-in user of the test client.

        Return the faults by path and language. Pages without faults are left out.
        """
        url = f"http://{host}:{self.port}"
        found: dict[str, list[str]] = {}
        errors: list[str] = []
        for screen in screens:
            User.objects.update(language=screen.language)
            with self.browser.new_context(
                viewport={"width": screen.width, "height": screen.height}, locale=screen.language
            ) as context:
                if cookie := client.cookies.get(settings.SESSION_COOKIE_NAME):
                    context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": url}])
                page = context.new_page()
                page.on("pageerror", lambda error: errors.append(f"script error: {error}"))
                for path in paths:
                    response = page.goto(url + path)
                    assert response is not None
                    assert response.status in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}, path
                    if path == "/api/docs/":
                        page.locator(".opblock-tag").first.wait_for(timeout=DOCS_TIMEOUT)
                    faults = [*layout_faults(page), *colour_faults(page), *errors]
                    errors.clear()
                    _save(page, screen, path)
                    if faults:
                        print(screen.language, path, *faults, sep="\n    ")
                        found[f"{path} ({screen.language})"] = faults
        return found


def _save(page: Page, screen: Screen, path: str) -> None:
    """If SCREENSHOTS is set, save a screenshot. The check of the colours has switched the page to dark mode."""
    if os.environ.get("SCREENSHOTS"):
        name = re.sub(r"[0-9a-f-]{36}", "", path).strip("/").replace("/", "-")
        screenshot(page, f"{screen.language}-{name}")
