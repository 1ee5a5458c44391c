"""Permissions by scope: the API key or the staff account must have the scope that the operation requires."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from hotelagent.rest.errors import MissingScope

# The views of REST framework import this module, so an import of APIView at run time would be circular.
if TYPE_CHECKING:
    from rest_framework.views import APIView


def required_scope(view: "APIView", method: str) -> str | None:
    """Return the scope that an HTTP method of a view requires, or None. HEAD requires the same scope as GET."""
    scopes: dict[str, str] = getattr(view, "required_scopes", {})
    return scopes.get("GET" if method == "HEAD" else method)


class HasScope(BasePermission):
    """Requires the scope of the operation. Raises MissingScope if the API key or the user does not have this scope.

    Requests with an HTTP method that has no entry in `required_scopes` are always denied.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        user = request.user
        if not (user and user.is_authenticated):
            return False
        method = request.method or ""
        if method == "OPTIONS" or not hasattr(view, method.lower()):
            # REST framework handles OPTIONS, and rejects unsupported methods with 405. Both need no scope.
            return True
        scope = required_scope(view, method)
        if scope is None:
            return False
        if scope not in user.scopes:
            raise MissingScope(scope)
        return True
