"""Who may: the client's key or the member of staff holds the scope that the operation names."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from hotelagent.rest.errors import MissingScope

if TYPE_CHECKING:  # REST framework reads this module while it makes its own views
    from rest_framework.views import APIView


def required_scope(view: "APIView", method: str) -> str | None:
    """The scope a method of a view needs; HEAD reads what GET reads."""
    scopes: dict[str, str] = getattr(view, "required_scopes", {})
    return scopes.get("GET" if method == "HEAD" else method)


class HasScope(BasePermission):
    """401 without credentials, 403 with the missing scope's name. A method without an entry is refused to all."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        user = request.user
        if not (user and user.is_authenticated):
            return False
        method = request.method or ""
        if method == "OPTIONS" or not hasattr(view, method.lower()):
            return True  # REST framework answers these: what may be asked, and 405
        scope = required_scope(view, method)
        if scope is None:
            return False
        if scope not in user.scopes:
            raise MissingScope(scope)
        return True
