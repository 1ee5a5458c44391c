"""The pages with which staff who forgot their password set a new one, through a link in an e-mail.

The response to a submitted user name is equal for known and unknown names, and takes the same time: a Celery task
looks up the account and sends the e-mail.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.widgets import INPUT_CLASSES

from hotelagent.admin.account.forms import PasswordLinkForm
from hotelagent.admin.account.limits import (
    LINK_ADDRESS_RATE,
    LINK_NAME_RATE,
    network,
    seconds_to_wait,
    too_many_attempts,
)
from hotelagent.admin.account.passwords import SetsOwnPassword
from hotelagent.core.text import normalize_username
from tenants.access.account_mail import encrypt_values
from tenants.context import actor_context, changed_actor, current_actor
from tenants.models import User
from tenants.queue.celery_task import send_on_commit
from tenants.services.account import find_by_password_link
from tenants.unaudited import unaudited

#: The session key that stores the user and the token of an opened link.
_LINK = "_password_link"


class NewPasswordForm(SetsOwnPassword, SetPasswordForm):  # type: ignore[type-arg]
    """The form with the new password, which the link in the e-mail opens."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["class"] = " ".join(INPUT_CLASSES)

    def save(self, commit: bool = True) -> Any:
        # The link proves who the user is, so the audit event names the user as the actor.
        user: Any = self.user
        with actor_context(changed_actor(kind="user", id=str(user.pk), label=user.username)):
            return super().save(commit)


def request_link(request: HttpRequest, site: Any) -> HttpResponse:
    """Show the form for the user name. If the form was submitted, send the Celery task that e-mails the link."""
    form = PasswordLinkForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        name = form.cleaned_data["name"]
        address = network(current_actor().ip)
        wait = seconds_to_wait("link-address", address, LINK_ADDRESS_RATE, all_hotels=True)
        if wait is None:
            wait = seconds_to_wait("link-name", normalize_username(name), LINK_NAME_RATE)
        if wait is not None:
            return too_many_attempts(request, seconds=wait)
        send_on_commit("tenants.tasks.send_password_links", encrypt_values({"name": name}))
        return HttpResponseRedirect(reverse("admin:password_link_sent"))
    context = {**site.each_context(request), "title": _("Forgotten password"), "form": form}
    return TemplateResponse(request, "hotelagent/account/forgotten_password.html", context)


def link_sent(request: HttpRequest, site: Any) -> HttpResponse:
    context = {**site.each_context(request), "title": _("Check your e-mail")}
    return TemplateResponse(request, "hotelagent/account/link_sent.html", context)


@unaudited("The page shows no data, and the form records the new password.")
def new_password(request: HttpRequest, site: Any) -> HttpResponse:
    """Show the form for the new password to a user with a valid link, or save the password.

    The token moves from the URL into the session. Otherwise, the header Referer could send the token to other pages.
    """
    if "token" in request.GET:
        request.session[_LINK] = {name: request.GET.get(name, "") for name in ("user", "token")}
        return HttpResponseRedirect(request.path)
    user = _linked_user(request.session.get(_LINK, {}))
    form = NewPasswordForm(user, request.POST if request.method == "POST" else None) if user else None
    if form is not None and form.is_valid():
        form.save()
        del request.session[_LINK]
        messages.success(request, _("Your password was changed. Log in with your new password."))
        return HttpResponseRedirect(reverse("admin:login"))
    context = {**site.each_context(request), "title": _("Set a new password"), "form": form}
    return TemplateResponse(request, "hotelagent/account/new_password.html", context)


def _linked_user(link: dict[str, str]) -> User | None:
    try:
        return find_by_password_link(user_id=UUID(link["user"]), token=link["token"])
    except (KeyError, ValueError):
        return None
