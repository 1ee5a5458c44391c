"""Helpers for browser tests, in which Chromium opens pages of a live server as a member of staff."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

from tests.servers import skip_or_fail_in_ci

#: The names of the programs of Chromium. The first that is installed is used. The headless shell opens a page in a
#: quarter of the processor time, because it draws no tabs and no toolbar around the page.
PROGRAMS = ("chromium-headless-shell", "chromium")
#: The type of the fixture `open_as_manager`, which opens the page at a path in a browser.
OpenPage = Callable[..., AbstractContextManager[Page]]
#: The options of a browser context with the screen of a phone.
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}}
#: The options of a browser context with the screen of a phone, on which pictures have twice the resolution.
SHARP_PHONE: dict[str, Any] = {**PHONE, "device_scale_factor": 2, "is_mobile": True}
#: The options of a browser context for each screen and language in which a page is shown.
SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {},
    "phone": PHONE,
    "desktop-es": {"locale": "es-ES"},
    "phone-es": {**PHONE, "locale": "es-ES"},
}


@dataclass(frozen=True)
class Screen:
    """A browser with a screen size and a language, see SCREENS. `open` opens a page for the user of a test client."""

    name: str
    open: OpenPage

    @property
    def language(self) -> str:
        return "es" if self.name.endswith("-es") else "en"


@contextmanager
def start_browser() -> Iterator[Browser]:
    """Return a context manager that starts Chromium. Skip the test if Chromium is not installed."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        skip_or_fail_in_ci("chromium")
    # Playwright runs an event loop in this thread. Inside the loop, Django would refuse database access, and uses a
    # separate connection. Both connections are closed, so that no connection stays open.
    connection.close()
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        with playwright.chromium.launch(executable_path=program, args=["--no-sandbox"]) as started:
            yield started
        connection.close()


@contextmanager
def open_page(
    browser: Browser,
    live_server: Any,
    client: Client,
    path: str,
    *,
    host: str = "alpha.localhost",
    **options: Any,
) -> Iterator[Page]:
    """Return a context manager with a page of a host, for the user who is logged in to the test client.

    If nobody is logged in to the test client, the page is opened without a login. `options` are passed to the browser
    context. When the context ends, script errors and CSP violations fail the test. Further pages of the host can be
    opened with `page.goto(path)`, which is faster than a new context, because the static files are in its cache.
    """
    url = f"http://{host}:{live_server.url.rpartition(':')[2]}"
    cookies: list[Any] = []
    if cookie := client.cookies.get(settings.SESSION_COOKIE_NAME):
        cookies = [{"name": settings.SESSION_COOKIE_NAME, "value": cookie.value, "url": url}]
    with open_url(browser, url + path, cookies=cookies, **options) as page:
        yield page


@contextmanager
def open_url(browser: Browser, url: str, *, cookies: Sequence[Any] = (), **options: Any) -> Iterator[Page]:
    """Return a context manager with a page that has the cookies. `options` are passed to the browser context.

    When the context ends, script errors and CSP violations fail the test.
    """
    errors: list[str] = []
    options = {"base_url": url, "viewport": {"width": 1440, "height": 900}, "locale": "en-GB", **options}
    with browser.new_context(**options) as context:
        context.add_cookies(cookies)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda line: errors.append(line.text) if "Content Security Policy" in line.text else None,
        )
        page.goto(url)
        yield page
    assert errors == []


def fits_width(page: Page) -> bool:
    """Return whether the page can be read without horizontal scrolling."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


def screenshot(page: Page, name: str) -> None:
    """Save a screenshot in the folder that the environment variable SCREENSHOTS names, if the variable is set."""
    if folder := os.environ.get("SCREENSHOTS"):
        # Chromium paints frames outside the visible part of the page late, so a frame could be blank in the picture.
        page.wait_for_timeout(1000)
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
