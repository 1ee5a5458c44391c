"""The language of the admin. Staff choose a language for their account. By default the browser's language is used."""

from collections.abc import Callable

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import translation
from django.utils.translation import gettext_noop as _
from django.views.decorators.http import require_POST

from hotelagent.admin.views import is_own_url
from tenants.access.support_user import support_user_of

#: Messages from the library unfold, which has no translations. Our catalogue contains the Spanish translations.
UNFOLD_MESSAGES = (
    _("Add new item"), _("Add row"), _("Apply Filters"), _("Click to cancel"), _("Collapse"), _("Dark"),
    _("Date from"), _("Date to"), _("Edit"), _("Expand row"), _("False"), _("Filters"),
    _("Forgotten your password or username?"), _("General"), _("Go back"),
    _("Light"), _("More actions"), _("New"), _("Next"), _("Previous"), _("Reset filters"), _("Return to site"),
    _("Run"), _("Select action"), _("Select action to run"), _("Select all rows"), _("Select record"),
    _("Select value"), _("Submit"), _("System"), _("This item will be deleted."), _("To"),
    _("Toggle password visibility"), _("True"), _("Type to search"), _("Value"), _("Welcome"), _("Welcome back to"),
    _("You have been successfully logged out from the administration"),
)  # fmt: skip

#: Django messages that our catalogue translates again, because Django's Spanish has wrong articles ("El reserva").
DJANGO_MESSAGES = (
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
    """Activates the language of the logged-in account. Must be listed after AuthenticationMiddleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Without a session cookie, no user is logged in, so request.user is not read. Reading it may execute a query.
        if settings.SESSION_COOKIE_NAME in request.COOKIES:
            language = getattr(request.user, "language", "")
            if language:
                translation.activate(language)
                request.LANGUAGE_CODE = language
        return self.get_response(request)


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Store the language in the user's account and in Django's language cookie, and redirect to the previous page."""
    language = request.POST.get("language", "")
    target = request.POST.get("next") or request.headers.get("Referer") or "/admin/"
    if not is_own_url(request, target):
        target = "/admin/"
    response = HttpResponseRedirect(target)
    if language in dict(settings.LANGUAGES):
        if not isinstance(request.user, AnonymousUser) and support_user_of(request) is None:
            request.user.language = language
            request.user.save(update_fields=["language"])
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME, language, secure=request.is_secure(), httponly=True, samesite="Lax"
        )
    return response
