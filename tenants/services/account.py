"""Operations on a staff account's second factor, e-mail address and sessions.

Members of staff call these functions for their own account. Administrators reset the second factor of another account.
"""

from collections.abc import Callable
from uuid import UUID

from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.utils import timezone

from tenants.access import account_mail, second_factor
from tenants.access.sessions import session_id
from tenants.context import current_tenant, platform_context
from tenants.models import Hotel, Session, User
from tenants.services.hotels import get_locked_hotel
from tenants.signals import (
    hotel_changed,
    password_link_sent,
    second_factor_changed,
    staff_email_changed,
    staff_sessions_ended,
)
from tenants.unaudited import unaudited

#: The maximum number of accounts with the same e-mail address that receive a password link.
MAX_LINKS = 5


def turn_on_second_factor(user: User, *, secret: bytes, code: str) -> list[str] | None:
    """Turn on two-factor authentication, or replace the authenticator app, if the code is right.

    Return the recovery codes, which are not stored, or None if the code is wrong. All sessions of the account end, so
    the caller must give the current session the new hash.
    """
    step = second_factor.matching_step(secret, code)
    if step is None:
        return None
    with transaction.atomic():
        change = "replaced" if user.has_second_factor else "enabled"
        codes, user.recovery_codes = second_factor.generate_recovery_codes(user)
        user.totp_secret = second_factor.encrypt_secret(secret, user)
        user.totp_last_step = step
        _save_second_factor(user, change)
    return codes


def turn_off_second_factor(user: User, *, by_administrator: bool = False) -> None:
    """Turn off two-factor authentication. All sessions of the account end."""
    with transaction.atomic():
        user.totp_secret, user.recovery_codes, user.totp_last_step = None, b"", 0
        _save_second_factor(user, "reset" if by_administrator else "disabled")


def renew_recovery_codes(user: User) -> list[str]:
    """Replace the account's recovery codes. Return the new codes, which are not stored."""
    with transaction.atomic():
        codes, user.recovery_codes = second_factor.generate_recovery_codes(user)
        user.save(update_fields=["recovery_codes"])
        second_factor_changed.send(User, user=user, change="recovery_codes")
    return codes


def _save_second_factor(user: User, change: str) -> None:
    user.code_failures, user.code_failed_at = 0, None
    user.second_factor_changed_at = timezone.now()
    user.save(
        update_fields=[
            "totp_secret",
            "totp_last_step",
            "recovery_codes",
            "code_failures",
            "code_failed_at",
            "second_factor_changed_at",
        ]
    )
    delete_sessions(user)
    second_factor_changed.send(User, user=user, change=change)


def require_two_factor(*, required: bool) -> None:
    """Set whether all staff of the current hotel must use two-factor authentication."""
    hotel_id = current_tenant().id
    if hotel_id is None:
        raise ValueError(
            "The setting TWO_FACTOR_FOR_PLATFORM says whether the platform requires a second factor."
        )
    with platform_context(), transaction.atomic():
        hotel = get_locked_hotel(hotel_id)
        before, hotel.require_two_factor = hotel.require_two_factor, required
        if before == required:
            return
        hotel.save(update_fields=["require_two_factor"])
        name = "require_two_factor"
        detail = {"changed": [name], "before": {name: before}, "after": {name: required}}
        hotel_changed.send(Hotel, hotel=hotel, detail=detail)


def change_email(user: User, *, email: str) -> None:
    """Change the e-mail address of an account. Both addresses receive a notice."""
    with transaction.atomic():
        before, user.email = user.email, email
        if before != email:
            user.save(update_fields=["email"])
            staff_email_changed.send(User, user=user, before=before)


def send_password_links(name: str, *, is_allowed: Callable[[User], bool]) -> int:
    """Send links to set a new password to the account with this user name, or to the accounts with this e-mail address.

    Accounts for which `is_allowed` returns False receive no link. Return the number of sent e-mails. Raises the errors
    of the mail server.
    """
    active = User.objects.filter(is_active=True).exclude(email="")
    users = list(active.filter(username=name)) or list(active.filter(email__iexact=name.strip())[:MAX_LINKS])
    allowed = [user for user in users if is_allowed(user)]
    for user in allowed:
        account_mail.build_password_link(user).send()
        password_link_sent.send(User, user=user)
    return len(allowed)


def find_by_password_link(*, user_id: UUID, token: str) -> User | None:
    """Return the active account to which a password link belongs, or None if the link is not valid any more."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    return user if default_token_generator.check_token(user, token) else None


@unaudited("The caller records the change of the credentials that ends the sessions.")
def delete_sessions(user: User) -> None:
    """Delete all sessions of an account whose credentials have changed, because these sessions are no longer valid."""
    Session.objects.filter(user_id=user.pk).delete()


def end_session(user: User, *, id_: UUID) -> bool:
    """End one session of the account. Return False if the session has already ended."""
    with transaction.atomic():
        deleted = Session.objects.filter(user_id=user.pk, id=id_).delete()[0]
        if deleted:
            staff_sessions_ended.send(User, user=user, count=deleted)
    return bool(deleted)


def end_other_sessions(user: User, *, session_key: str | None) -> int:
    """End all sessions of the account except the session with this key. Return the number of ended sessions."""
    with transaction.atomic():
        others = Session.objects.filter(user_id=user.pk)
        if session_key:
            others = others.exclude(id=session_id(session_key))
        count = others.delete()[0]
        if count:
            staff_sessions_ended.send(User, user=user, count=count)
    return count
