"""The style elements that the Content-Security-Policy of the admin allows. Each is identified by the hash of its text.

The admin shows e-mail previews in a frame whose HTML is in its `srcdoc` attribute. Such a frame inherits the policy of
the page, which forbids style elements.
"""

import base64
import hashlib

_sources: list[str] = []


def allow(css: str) -> None:
    """Allow a style element with exactly this text on the pages of the admin. Call it when the app starts."""
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    _sources.append(f"'sha256-{digest}'")


def csp_sources() -> list[str]:
    """Return the allowed style elements as sources of the policy's `style-src` directive."""
    return list(_sources)
