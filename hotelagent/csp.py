"""The Content-Security-Policy of each part of the site: as little as that part needs.

Everywhere: nothing but our own files, no inline script, no frame around us, no form to elsewhere.

The admin adds two things that unfold can't do without: Alpine.js evaluates the expressions in its attributes
(`'unsafe-eval'`; inline scripts and event handlers stay forbidden), and a few elements carry a `style` attribute
(`style-src-attr`; style elements stay forbidden, but for those that `inline_styles` knows to the letter). The API's
documentation needs `data:` images and the style elements that Swagger UI makes. The page behind a mail's "Unsubscribe"
wears the hotel's own colour, in `style` attributes. What the API itself answers is never a page, so it may load nothing
at all.
"""

from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

from hotelagent.admin import inline_styles

PAGE: dict[str, Any] = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF],
    "font-src": [SELF],
    "connect-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}
ADMIN = {
    **PAGE,
    "script-src": [SELF, UNSAFE_EVAL],
    "style-src-attr": [UNSAFE_INLINE],
    "img-src": [SELF, "data:"],
}
DOCS = {**PAGE, "style-src": [SELF, UNSAFE_INLINE], "img-src": [SELF, "data:"]}
API = {"default-src": [NONE], "frame-ancestors": [NONE]}
GUEST = {**PAGE, "style-src-attr": [UNSAFE_INLINE]}

#: The first prefix that fits decides.
BY_PREFIX = (("/admin/", ADMIN), ("/api/docs/", DOCS), ("/api/", API), ("/unsubscribe/", GUEST))


class PolicyMiddleware(CSPMiddleware):
    """django-csp, with the policy chosen by address; a view's own decorators still count."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if parts.config is None and not report_only:
            parts.config = next(
                (policy for prefix, policy in BY_PREFIX if request.path_info.startswith(prefix)), None
            )
            if parts.config is ADMIN:
                parts.config = {**ADMIN, "style-src": [*ADMIN["style-src"], *inline_styles.csp_sources()]}
        return parts
