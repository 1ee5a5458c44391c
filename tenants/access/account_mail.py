"""The e-mails to staff about their accounts: links to set a password, and notices of changed credentials.

Each e-mail is in the language of the account. Links contain the host name of the hotel as the platform stores it, and
never the header Host of a request.
"""

import base64
import datetime
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import EmailMultiAlternatives
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from hotelagent.core import encryption
from hotelagent.core.text import single_line
from tenants.access.staff_mail import Link, build_message
from tenants.context import current_tenant
from tenants.host_routing import display_name, page_path, subdomain_url
from tenants.models import User

#: Maps each kind of change to the sentence in the e-mail about it. The placeholder `name` is the name of the API key.
NOTICES = {
    "password": gettext_lazy("The password of your account {username} at {hotel} was changed."),
    "email": gettext_lazy("The e-mail address of your account {username} at {hotel} was changed."),
    "enabled": gettext_lazy(
        "Two-factor authentication was turned on for your account {username} at {hotel}."
    ),
    "replaced": gettext_lazy("The authenticator app of your account {username} at {hotel} was replaced."),
    "disabled": gettext_lazy(
        "Two-factor authentication was turned off for your account {username} at {hotel}."
    ),
    "reset": gettext_lazy(
        "An administrator turned off two-factor authentication for your account {username} at {hotel}."
    ),
    "recovery_codes": gettext_lazy(
        "New recovery codes were created for your account {username} at {hotel}. The old codes no longer work."
    ),
    "api_key": gettext_lazy("Your account {username} at {hotel} created the API key “{name}”."),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """A change of a user's credentials: what changed, when, and from where."""

    kind: str
    at: datetime.datetime
    ip: str = ""
    browser: str = ""
    #: The name of the API key that the user created.
    name: str = ""
    #: The address to which the e-mail is sent, if it is not the address of the account.
    address: str = ""


def encrypt_values(values: dict[str, str]) -> str:
    """Return the values as encrypted text, because messages of the broker must not contain personal data."""
    plaintext = json.dumps(values).encode()
    key = encryption.derive_key(_PURPOSE)
    return base64.b64encode(encryption.encrypt(plaintext, key=key, associated_data=_tenant())).decode()


def decrypt_values(text: str) -> dict[str, str]:
    """Return the values that `encrypt_values` has encrypted for the current tenant."""
    key = encryption.derive_key(_PURPOSE)
    plaintext = encryption.decrypt(base64.b64decode(text), key=key, associated_data=_tenant())
    values: dict[str, str] = json.loads(plaintext)
    return values


def build_notice(user: User, notice: Notice) -> EmailMultiAlternatives:
    """Return the e-mail that tells the user about a change of the user's credentials."""
    with _localized(user):
        time = formats.date_format(timezone.localtime(notice.at), "DATETIME_FORMAT")
        facts = [_("Time: {time}").format(time=f"{time} ({timezone.get_current_timezone_name()})")]
        facts += [_("IP address: {ip}").format(ip=notice.ip)] if notice.ip else []
        facts += (
            [_("Browser: {browser}").format(browser=single_line(notice.browser))] if notice.browser else []
        )
        sentence = str(NOTICES[notice.kind]).format(
            username=user.username, hotel=_tenant_name(), name=single_line(notice.name)
        )
        advice = _("If you did not expect this, set a new password now and inform an administrator.")
        return _message(
            user,
            subject=_("{hotel}: your account {username} was changed"),
            paragraphs=[sentence, *facts, advice],
            link=Link(_("Set a new password"), _url("admin_password_reset")),
            address=notice.address or user.email,
        )


def build_password_link(user: User) -> EmailMultiAlternatives:
    """Return the e-mail with the link to set a new password. The link is valid for an hour and works once."""
    # Log lines contain paths, but no query strings, so the token is in the query string.
    query = urlencode({"user": user.pk, "token": default_token_generator.make_token(user)})
    with _localized(user):
        paragraphs = [
            _("A new password was requested for your account {username} at {hotel}.").format(
                username=user.username, hotel=_tenant_name()
            ),
            _("Open this link within an hour to set a new password. The link works once."),
            _("If you did not request a new password, ignore this e-mail. Your password stays valid."),
        ]
        return _message(
            user,
            subject=_("{hotel}: set a new password"),
            paragraphs=paragraphs,
            link=Link(_("Set a new password"), f"{_url('new_password')}?{query}"),
            address=user.email,
        )


_PURPOSE = b"account mail"


def _tenant() -> bytes:
    return current_tenant().schema.encode()


def _tenant_name() -> str:
    return display_name(current_tenant())


def _url(name: str) -> str:
    """Return the URL of an admin page of the current tenant, on the host or a subdomain of the platform."""
    tenant = current_tenant()
    return subdomain_url(tenant) + page_path(tenant, f"admin:{name}")


@contextmanager
def _localized(user: User) -> Iterator[None]:
    """Activate the language of the user and the time zone of the tenant inside the `with` block."""
    tenant = current_tenant()
    language = user.language or tenant.language or settings.LANGUAGE_CODE
    with translation.override(language), timezone.override(ZoneInfo(tenant.time_zone)):
        yield


def _message(
    user: User, *, subject: str, paragraphs: list[str], link: Link, address: str
) -> EmailMultiAlternatives:
    name = _tenant_name()
    reason = _("You receive this e-mail because this address is or was stored with your account at {hotel}.")
    return build_message(
        hotel=current_tenant(),
        address=address,
        subject=subject.format(hotel=name, username=user.username),
        paragraphs=[_("Hello {name},").format(name=single_line(user.get_full_name())), *paragraphs],
        link=link,
        reason=reason.format(hotel=name),
    )
