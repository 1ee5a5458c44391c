"""Confirmation of the user's identity before sensitive changes.

After a login or a confirmation, sensitive pages open for ten minutes. After that, they ask for the password, and for a
code if the account has two-factor authentication. The page that asks for them submits the original form again, so no
input is lost.
"""

import time
from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from hotelagent.admin.account.forms import ConfirmationForm
from hotelagent.admin.account.limits import password_attempt
from tenants.access.second_factor import TooManyCodes, check_code
from tenants.models import User
from tenants.signals import confirmation_failed

#: The number of seconds for which a confirmation is valid.
VALID_SECONDS = 600
_CONFIRMED_AT = "_confirmed_at"
#: The form field with the HTTP method of the request that the user must confirm.
_METHOD = "confirm_method"


def require_confirmation(request: HttpRequest, site: Any) -> HttpResponse | None:
    """Return None if the user has recently entered the password. Otherwise return the page that asks for the password.

    After the confirmation of a POST request, `request.POST` contains the original form.
    """
    if time.time() - request.session.get(_CONFIRMED_AT, 0) < VALID_SECONDS:
        return None
    method = request.POST.get(_METHOD)
    if request.method != "POST" or method is None:
        return _page(request, site, ConfirmationForm(with_code=_has_second_factor(request)))
    form = ConfirmationForm(request.POST, with_code=_has_second_factor(request))
    with password_attempt(request, request.user.get_username()) as refusal:
        if refusal is not None:
            return refusal
        if not form.is_valid() or not _is_confirmed(request, form):
            return _page(request, site, form)
    record_confirmation(request)
    if method != "POST":
        return HttpResponseRedirect(request.get_full_path())
    original = request.POST.copy()
    for name in (_METHOD, *form.fields):
        original.pop(name, None)
    request.POST = original  # type: ignore[assignment]
    return None


@receiver(user_logged_in)
def _logged_in(*, request: HttpRequest, **_: Any) -> None:
    if hasattr(request, "session"):
        record_confirmation(request)


def record_confirmation(request: HttpRequest) -> None:
    """Allow the user to open sensitive pages for the next ten minutes."""
    request.session[_CONFIRMED_AT] = time.time()


def _has_second_factor(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "has_second_factor", False))


def _is_confirmed(request: HttpRequest, form: ConfirmationForm) -> bool:
    """Return whether the password and the code are right. Otherwise add an error to the form and report the failure."""
    user: Any = request.user
    if not user.check_password(form.cleaned_data["confirm_password"]):
        form.add_error("confirm_password", _("The password is wrong."))
    elif user.has_second_factor:
        try:
            if not check_code(user, form.cleaned_data["confirm_code"]):
                form.add_error("confirm_code", _("The code is wrong or was already used."))
        except TooManyCodes as error:
            form.add_error("confirm_code", too_many_codes(error))
    if form.errors:
        confirmation_failed.send(User, user=user)
    return not form.errors


def too_many_codes(error: TooManyCodes) -> str:
    return _("Too many wrong codes. Try again in %(seconds)d seconds.") % {"seconds": int(error.seconds) + 1}


def _page(request: HttpRequest, site: Any, form: ConfirmationForm) -> HttpResponse:
    repeated = {_METHOD, "csrfmiddlewaretoken", *form.fields}
    is_first = request.method == "POST" and _METHOD not in request.POST
    method = request.POST.get(_METHOD) or request.method
    context = {
        **site.each_context(request),
        "title": _("Confirm your identity"),
        "form": form,
        "method": "POST" if is_first else method,
        "original": [
            (name, value) for name, values in request.POST.lists() for value in values if name not in repeated
        ],
    }
    return TemplateResponse(request, "hotelagent/account/confirm.html", context)
