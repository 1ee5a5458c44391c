"""Checks of a page that is open in a browser: horizontal scrolling, landmarks, clipped texts, and the rules of axe."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

#: A script that finds table cells whose text does not fit. The classes `line-clamp` and `truncate` cut a text visibly.
CLIPPED_CELLS = """() => [...document.querySelectorAll("#result_list td, #result_list th")]
    .filter(cell => cell.clientHeight > 0 && cell.scrollHeight > cell.clientHeight + 2)
    .map(cell => cell.className + ": " + cell.innerText.slice(0, 60))"""

#: A script that finds elements that extend beyond the right edge of the window.
WIDE_ELEMENTS = """() => document.documentElement.scrollWidth <= window.innerWidth ? [] :
    ["The page is " + document.documentElement.scrollWidth + " pixels wide.",
     ...[...document.querySelectorAll("body *")]
        .filter(element => element.getBoundingClientRect().right > window.innerWidth + 1)
        .slice(0, 3).map(element => element.outerHTML.slice(0, 200))]"""

#: A script that turns unfold's dark mode on or off, without loading the page again.
SET_DARK = "dark => document.documentElement.classList.toggle('dark', dark)"
#: The rules of axe whose results depend on the colours, and so differ between the light and the dark scheme.
COLOUR_RULES = ["color-contrast", "link-in-text-block"]

#: The rules of axe that the markup of Swagger UI breaks: headings, links inside buttons, and a choice without a label.
#: This project sets only the colours of Swagger UI.
SWAGGER_UI_RULES = ["heading-order", "nested-interactive", "region", "select-name"]


def layout_faults(page: Page) -> list[str]:
    """Return what is wrong with the layout and the landmarks of the page, as texts for an error message."""
    faults = [f"wider than the screen: {fault}" for fault in page.evaluate(WIDE_ELEMENTS)]
    faults += [f"clipped cell: {fault}" for fault in page.evaluate(CLIPPED_CELLS)[:3]]
    if page.locator("main").count() != 1:
        faults.append(f"{page.locator('main').count()} <main> elements")
    return faults


def axe_faults(page: Page, *, only_colours: bool = False) -> list[str]:
    """Return the violations of axe's rules of every severity, as texts for an error message."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if page.locator("#swagger-ui").count():
        options["rules"] = {rule: {"enabled": False} for rule in SWAGGER_UI_RULES}
    if only_colours:
        options["runOnly"] = {"type": "rule", "values": COLOUR_RULES}
    results = Axe().run(page, options=options).response
    return [
        f"{violation['id']} ({violation['impact']}, {len(violation['nodes'])} elements): {node['html'][:300]} "
        f"{node.get('failureSummary', '')[:300]}"
        for violation in results["violations"]
        for node in violation["nodes"][:2]
    ]


def colour_faults(page: Page) -> list[str]:
    """Return the violations of axe's rules in the light scheme, and of the rules about colours in the dark scheme."""
    page.emulate_media(color_scheme="light")
    page.evaluate(SET_DARK, False)
    faults = [f"light: {fault}" for fault in axe_faults(page)]
    page.emulate_media(color_scheme="dark")
    page.evaluate(SET_DARK, True)
    return faults + [f"dark: {fault}" for fault in axe_faults(page, only_colours=True)]
