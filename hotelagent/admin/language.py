"""The language of the pages: what the person chose, on every device; before that, what the browser asks for."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_noop as _
from django.views.decorators.http import require_POST

#: unfold's own texts that people meet here. It speaks English alone, so our catalogue has their Spanish.
OF_UNFOLD = (
    _("Add new item"), _("Add row"), _("Apply Filters"), _("Click to cancel"), _("Collapse"), _("Dark"),
    _("Date from"), _("Date to"), _("Edit"), _("Expand row"), _("False"), _("Filters"), _("General"), _("Go back"),
    _("Light"), _("More actions"), _("New"), _("Next"), _("Previous"), _("Reset filters"), _("Return to site"),
    _("Run"), _("Select action"), _("Select action to run"), _("Select all rows"), _("Select record"),
    _("Select value"), _("Submit"), _("System"), _("This item will be deleted."), _("To"),
    _("Toggle password visibility"), _("True"), _("Type to search"), _("Value"), _("Welcome"), _("Welcome back to"),
    _("You have been successfully logged out from the administration"),
)  # fmt: skip

#: Django's own, whose Spanish takes every thing for a masculine one ("El plantilla", "El reserva").
OF_DJANGO = (
    _("The {name} “{obj}” was added successfully."),
    _("The {name} “{obj}” was added successfully. You may add another {name} below."),
    _("The {name} “{obj}” was changed successfully."),
    _("The {name} “{obj}” was changed successfully. You may add another {name} below."),
    _("The {name} “{obj}” was changed successfully. You may edit it again below."),
    _("The %(name)s “%(obj)s” was deleted successfully."),
    _("Delete selected %(verbose_name_plural)s"),
    _("%(model_name)s with this %(field_labels)s already exists."),
)


class PreferredLanguageMiddleware:
    """Middleware, after authentication: activates the language that the member of staff chose."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Without a session there is nobody to ask: API clients cost no look at request.user here.
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            language = getattr(request.user, "language", "")
            if language:
                translation.activate(language)
                request.LANGUAGE_CODE = language
        return self.get_response(request)


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Remember the language with the account; for who has none, in Django's cookie."""
    language = request.POST.get("language", "")
    there = request.POST.get("next") or request.headers.get("Referer") or "/admin/"
    if not url_has_allowed_host_and_scheme(there, {request.get_host()}, require_https=request.is_secure()):
        there = "/admin/"
    response = HttpResponseRedirect(there)
    if language in dict(settings.LANGUAGES):
        if not isinstance(request.user, AnonymousUser):
            request.user.language = language
            request.user.save(update_fields=["language"])
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, language, secure=request.is_secure(), httponly=True, samesite="Lax"
        )
    return response
