"""The page "Your account": the e-mail address, the password, two-factor authentication and the sessions."""

import base64
from typing import Any
from uuid import UUID

import segno
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from hotelagent.admin.account.forms import EmailForm, SetupForm
from hotelagent.admin.account.reauthentication import require_confirmation
from hotelagent.admin.account.requirements import is_second_factor_required
from tenants.access import second_factor
from tenants.access.sessions import session_id, valid_sessions
from tenants.context import current_tenant
from tenants.host_routing import display_name
from tenants.services import account
from tenants.unaudited import unaudited

#: The name of the session variable with the encrypted secret of the authenticator app that the user is setting up.
_SETUP = "_second_factor_setup"
#: Maps parts of the header User-Agent to names of browsers. Most browsers also send the names of other browsers, so the
#: first matching part is used.
_BROWSERS = (
    ("Edg/", "Edge"), ("EdgA/", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("CrOS", "ChromeOS"),
    ("Macintosh", "Mac"), ("Linux", "Linux"),
)  # fmt: skip


@unaudited("The page shows the user's own account only.")
def overview(request: HttpRequest, site: Any) -> HttpResponse:
    """Show the page "Your account"."""
    user: Any = request.user
    current = session_id(request.session.session_key or "")
    sessions = [
        {
            "id": row.id,
            "device": _device_name(row.user_agent),
            "ip": row.ip or "",
            "created_at": row.created_at,
            "last_used_at": row.last_used_at,
            "is_current": row.id == current,
        }
        for row in valid_sessions().filter(user_id=user.pk).order_by("-last_used_at")
    ]
    sessions.sort(key=lambda row: not row["is_current"])
    return _page(
        request,
        site,
        "hotelagent/account/overview.html",
        title=_("Your account"),
        account=user,
        sessions=sessions,
        recovery_codes=second_factor.unused_recovery_codes(user),
        is_required=is_second_factor_required(),
    )


def email(request: HttpRequest, site: Any) -> HttpResponse:
    """Show the form for a new e-mail address, or save the address."""
    if page := require_confirmation(request, site):
        return page
    user: Any = request.user
    form = EmailForm(request.POST if request.method == "POST" else None, initial={"email": user.email})
    if form.is_valid():
        account.change_email(user, email=form.cleaned_data["email"])
        messages.success(request, _("Your e-mail address was changed."))
        return _back()
    return _page(
        request, site, "hotelagent/account/email.html", title=_("Change your e-mail address"), form=form
    )


def two_factor(request: HttpRequest, site: Any) -> HttpResponse:
    """Show the QR code for the authenticator app, or turn on two-factor authentication if the code is right.

    If two-factor authentication is on already, the new app replaces the old one.
    """
    if page := require_confirmation(request, site):
        return page
    user: Any = request.user
    secret = _setup_secret(request)
    form = SetupForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        codes = account.turn_on_second_factor(user, secret=secret, code=form.cleaned_data["code"])
        if codes is not None:
            del request.session[_SETUP]
            update_session_auth_hash(request, user)
            return _codes_page(request, site, codes)
        form.add_error(
            "code",
            _("The code is wrong. Check that the clock of your phone is right, and enter the newest code."),
        )
    uri = second_factor.setup_uri(secret, account=user.username, issuer=display_name(current_tenant()))
    text = second_factor.secret_text(secret)
    return _page(
        request,
        site,
        "hotelagent/account/two_factor.html",
        title=_("Set up two-factor authentication"),
        form=form,
        qr_code=_qr_code(uri),
        uri=uri,
        secret=" ".join(text[i : i + 4] for i in range(0, len(text), 4)),
    )


def turn_off(request: HttpRequest, site: Any) -> HttpResponse:
    """Turn off two-factor authentication of the user's own account."""
    user: Any = request.user
    if request.method != "POST" or not user.has_second_factor or is_second_factor_required():
        return _back()
    if page := require_confirmation(request, site):
        return page
    account.turn_off_second_factor(user)
    update_session_auth_hash(request, user)
    messages.success(request, _("Two-factor authentication was turned off."))
    return _back()


def recovery_codes(request: HttpRequest, site: Any) -> HttpResponse:
    """Replace the recovery codes of the user's own account, and show the new codes."""
    user: Any = request.user
    if request.method != "POST" or not user.has_second_factor:
        return _back()
    if page := require_confirmation(request, site):
        return page
    return _codes_page(request, site, account.renew_recovery_codes(user))


@require_POST
def end_session(request: HttpRequest, _site: Any) -> HttpResponse:
    """End the session that the form names. Without a name, end all sessions of the user except the current session."""
    user: Any = request.user
    identifier = request.POST.get("session", "")
    if not identifier:
        count = account.end_other_sessions(user, session_key=request.session.session_key)
        text = ngettext("%(count)d session was ended.", "%(count)d sessions were ended.", count)
        messages.success(request, text % {"count": count})
        return _back()
    try:
        account.end_session(user, id_=UUID(identifier))
    except ValueError as error:
        raise Http404 from error
    messages.success(request, _("The session was ended."))
    return _back()


@unaudited("The page shows the user's own secret only.")
def _setup_secret(request: HttpRequest) -> bytes:
    """Return the secret of the authenticator app that the user is setting up.

    The session stores the secret, so the page shows the same QR code after a reload.
    """
    user: Any = request.user
    if stored := request.session.get(_SETUP):
        return second_factor.decrypt_secret(base64.b64decode(stored), user)
    secret = second_factor.generate_secret()
    request.session[_SETUP] = base64.b64encode(second_factor.encrypt_secret(secret, user)).decode()
    return secret


def _qr_code(text: str) -> str:
    """Return the QR code as an SVG element without style attributes. The QR code is black on white in every theme."""
    svg = segno.make(text, error="m").svg_inline(scale=5, border=3, dark="#000", light="#fff", omitsize=True)
    return mark_safe(svg)  # noqa: S308 - the element contains no text of users


def _codes_page(request: HttpRequest, site: Any, codes: list[str]) -> HttpResponse:
    title = _("Your recovery codes")
    return _page(request, site, "hotelagent/account/recovery_codes.html", title=title, codes=codes)


def _page(request: HttpRequest, site: Any, template: str, **context: Any) -> HttpResponse:
    return TemplateResponse(request, template, {**site.each_context(request), **context})


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:account"))


def _device_name(user_agent: str) -> str:
    """Return a short name such as "Firefox on Windows", or the beginning of an unknown header."""
    browser = next((name for part, name in _BROWSERS if part in user_agent), "")
    system = next((name for part, name in _SYSTEMS if part in user_agent), "")
    if browser and system:
        return _("{browser} on {system}").format(browser=browser, system=system)
    return browser or system or user_agent[:60] or _("Unknown device")
