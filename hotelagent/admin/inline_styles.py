"""The inline `<style>` elements that the admin's Content-Security-Policy allows, listed by the hash of their text.

Such elements are in the e-mail previews, which the admin shows in a frame.
"""

import base64
import hashlib

_sources: list[str] = []


def allow(css: str) -> None:
    """Allow a `<style>` element with exactly this text on the pages of the admin.

    Call this function when the app starts.
    """
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    _sources.append(f"'sha256-{digest}'")


def csp_sources() -> list[str]:
    """Return the hashes of the allowed `<style>` elements, as values for the CSP directive `style-src`."""
    return list(_sources)
