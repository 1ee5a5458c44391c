"""The Content-Security-Policy of each part of the site.

All policies allow files from our own host only. They forbid inline scripts and forms that post to other hosts. Other
sites must not show our pages in a frame. The admin, the API documentation and the unsubscribe page have additional
permissions. Responses of the API may load nothing.
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
API_DOCUMENTATION = {**PAGE, "style-src": [SELF, UNSAFE_INLINE], "img-src": [SELF, "data:"]}
API = {"default-src": [NONE], "frame-ancestors": [NONE]}
UNSUBSCRIBE = {**PAGE, "style-src-attr": [UNSAFE_INLINE]}

#: Pairs of a path prefix and its policy. The first match is used. All other paths have the policy PAGE.
BY_PREFIX = (
    ("/admin/", ADMIN),
    ("/api/docs/", API_DOCUMENTATION),
    ("/api/", API),
    ("/unsubscribe/", UNSUBSCRIBE),
)


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """django-csp's middleware with a policy for each path prefix.

    If a view has a decorator of django-csp that sets a policy, the policy of the decorator is used instead.
    """

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
