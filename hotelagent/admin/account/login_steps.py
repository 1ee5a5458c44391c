"""The two steps of a login: the password, and a code if the account has two-factor authentication.

After the first step, the user is not logged in yet. The session only stores which user must enter a code.
"""

import time
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME, login
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from hotelagent.admin.account.forms import CodeForm, LoginForm
from hotelagent.admin.account.reauthentication import too_many_codes
from tenants.access.second_factor import TooManyCodes, check_code, unused_recovery_codes
from tenants.models import User
from tenants.signals import login_code_failed
from tenants.unaudited import unaudited

#: The number of seconds after the first step in which the code must be entered.
VALID_SECONDS = 600
#: If an account has at most this number of unused recovery codes, a message after the login says so.
FEW_CODES = 3
_PENDING = "_second_step"


class PasswordStep(LoginView):
    """The first step of the login."""

    authentication_form = LoginForm

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        if not user.has_second_factor:
            return super().form_valid(form)
        self.request.session[_PENDING] = {
            "user": str(user.pk),
            "hash": user.get_session_auth_hash(),
            "at": time.time(),
            "next": self.get_success_url(),
        }
        return HttpResponseRedirect(reverse("admin:login_code"))


def password_step(request: HttpRequest, site: Any, extra_context: dict[str, Any] | None) -> HttpResponse:
    """Show the login form, or check the submitted user name and password."""
    context = {
        **site.each_context(request),
        "title": _("Log in"),
        "subtitle": None,
        "app_path": request.get_full_path(),
        "username": request.user.get_username(),
        **(extra_context or {}),
    }
    if REDIRECT_FIELD_NAME not in request.GET and REDIRECT_FIELD_NAME not in request.POST:
        context[REDIRECT_FIELD_NAME] = reverse("admin:index", current_app=site.name)
    template = site.login_template or "admin/login.html"
    view = PasswordStep.as_view(extra_context=context, template_name=template)
    return view(request)  # type: ignore[return-value]


def code_step(request: HttpRequest, site: Any) -> HttpResponse:
    """Show the form for the code, or check the code and log the user in."""
    pending = request.session.get(_PENDING)
    user = _pending_user(pending)
    if user is None or pending is None:
        request.session.pop(_PENDING, None)
        return HttpResponseRedirect(reverse("admin:login"))
    form = CodeForm(request.POST if request.method == "POST" else None)
    status = 200
    if form.is_valid():
        try:
            if check_code(user, form.cleaned_data["code"]):
                del request.session[_PENDING]
                user.refresh_from_db()
                login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
                return _logged_in(request, user, pending["next"])
            login_code_failed.send(User, user=user)
            form.add_error("code", _("The code is wrong or was already used."))
        except TooManyCodes as error:
            form.add_error("code", too_many_codes(error))
            status = 429
    context = {**site.each_context(request), "title": _("Two-factor authentication"), "form": form}
    return TemplateResponse(request, "hotelagent/account/login_code.html", context, status=status)


def _pending_user(pending: dict[str, Any] | None) -> User | None:
    """Return the user who must enter a code.

    Return None if the first step was too long ago or the account has changed since then.
    """
    if not pending or time.time() - pending["at"] > VALID_SECONDS:
        return None
    user = User.objects.filter(pk=UUID(pending["user"]), is_active=True).first()
    if user is None or not constant_time_compare(pending["hash"], user.get_session_auth_hash()):
        return None
    return user


@unaudited("The page shows the number of the user's own recovery codes only.")
def _logged_in(request: HttpRequest, user: User, url: str) -> HttpResponse:
    left = unused_recovery_codes(user)
    if left <= FEW_CODES:
        messages.warning(request, _("You have few recovery codes left. Create new ones in “Your account”."))
    return HttpResponseRedirect(url)
