"""Tests of the invitation of a hotel's first manager: the e-mail, its single-use link, and the limits of the link."""

import re
from datetime import timedelta
from email.message import EmailMessage
from html import unescape
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from audit.models import Event
from audit.reading.search import timeline
from tenants import services, tasks
from tenants.access.tokens import digest
from tenants.context import hotel_context, platform_context
from tenants.errors import HotelStateError, ManagerConflict
from tenants.lifecycle import provisioning
from tenants.models import DueItem, Hotel, HotelStatus, ManagerInvitation, User
from tenants.scopes import Role
from tests.conftest import ALPHA_HOST
from tests.servers import MailServer

ADDRESS = "rosa@alpha.example"
PASSWORD = "correct horse battery"
ACCOUNT = {"username": "rosa", "full_name": "Rosa Ruiz", "password": PASSWORD, "repeated": PASSWORD}

pytestmark = pytest.mark.django_db


def due_invitations() -> list[Any]:
    with platform_context():
        return list(DueItem.objects.filter(kind="invitation").values_list("hotel_id", flat=True))


def send(hotel: Hotel, smtp: MailServer) -> EmailMessage:
    """Send the e-mail of the hotel's invitation as the worker does. Return the received e-mail."""
    with hotel_context(hotel):
        tasks.send_invitations([str(hotel.id)])
    return smtp.to(ADDRESS)[-1]


def link_in(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    found = re.search(r"http://\S+/admin/invitation/\?token=\S+", body.get_content())
    assert found
    return found[0]


def token_in(message: EmailMessage) -> str:
    return link_in(message).partition("token=")[2]


def accept(token: str, browser: Client | None = None, **changes: Any) -> Any:
    browser = browser or Client(SERVER_NAME=ALPHA_HOST)
    return browser.post("/admin/invitation/", {**ACCOUNT, "token": token, **changes})


def events_of(hotel: Hotel) -> set[str]:
    with hotel_context(hotel):
        return set(Event.objects.values_list("event", flat=True))


def test_invited_manager_chooses_a_name_and_a_password_and_is_logged_in(
    hotel: Hotel, smtp: MailServer
) -> None:
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    assert due_invitations() == [hotel.id]
    message = send(hotel, smtp)
    assert due_invitations() == []
    assert link_in(message).startswith(f"http://{ALPHA_HOST}:")
    assert message["Auto-Submitted"] == "auto-generated"
    browser = Client(SERVER_NAME=ALPHA_HOST)
    form = browser.get("/admin/invitation/", {"token": token_in(message)})
    assert form.status_code == 200
    # Other sites do not receive the URL, which contains the token.
    assert form["Referrer-Policy"] == "same-origin"
    assert "no-store" in form["Cache-Control"]
    response = accept(token_in(message), browser)
    assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert browser.get("/admin/").status_code == 200
    with hotel_context(hotel):
        user = User.objects.get()
        assert (user.username, user.full_name, user.email, user.role) == (
            "rosa",
            "Rosa Ruiz",
            ADDRESS,
            Role.MANAGER,
        )
        assert user.check_password(PASSWORD)


def test_invitation_is_recorded_in_both_trails_without_the_email_address(
    hotel: Hotel, smtp: MailServer
) -> None:
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    token = token_in(send(hotel, smtp))
    accept(token)
    recorded = {"hotel.manager_invited", "hotel.manager_invitation_sent"}
    with platform_context():
        assert recorded <= set(Event.objects.values_list("event", flat=True))
    assert {*recorded, "staff.added", "staff.invitation_accepted"} <= events_of(hotel)
    with hotel_context(hotel):
        user = User.objects.get()
        event = timeline(kind="user", identifier=str(user.pk)).get(event="staff.invitation_accepted")
        assert (event.actor_kind, event.actor_id, event.actor_label) == ("user", str(user.pk), "rosa")
        for event in Event.objects.filter(event__in=recorded):
            assert ADDRESS not in str(event.data) + str(event.personal)


def test_invitation_link_can_be_used_only_once(hotel: Hotel, smtp: MailServer) -> None:
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    token = token_in(send(hotel, smtp))
    assert accept(token).status_code == 302
    with hotel_context(hotel):
        # Without an active manager, the link is refused only because it was used.
        User.objects.update(is_active=False)
    again = accept(token, username="eve")
    assert again.status_code == 404
    assert "This link has expired" in unescape(again.content.decode())
    with hotel_context(hotel):
        assert not User.objects.filter(username="eve").exists()


def test_invitation_link_that_was_only_opened_can_be_used_again(hotel: Hotel, smtp: MailServer) -> None:
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    token = token_in(send(hotel, smtp))
    for _attempt in range(2):
        assert Client(SERVER_NAME=ALPHA_HOST).get("/admin/invitation/", {"token": token}).status_code == 200
    assert accept(token).status_code == 302


def test_invitation_link_expires_after_seven_days(hotel: Hotel, smtp: MailServer) -> None:
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    token = token_in(send(hotel, smtp))
    with platform_context():
        invitation = ManagerInvitation.objects.get()
        assert invitation.expires_at is not None
        assert invitation.sent_at is not None
        lifetime = invitation.expires_at - invitation.sent_at
        assert timedelta(days=6, hours=23) < lifetime <= timedelta(days=7)
        passed = timedelta(days=7, seconds=1)
        ManagerInvitation.objects.update(expires_at=invitation.expires_at - passed)
    assert accept(token).status_code == 404
    with platform_context():
        ManagerInvitation.objects.update(expires_at=invitation.expires_at)
    assert accept(token).status_code == 302


def test_second_invitation_makes_the_link_of_the_first_invitation_invalid(
    hotel: Hotel, smtp: MailServer
) -> None:
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    first = token_in(send(hotel, smtp))
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    assert accept(first).status_code == 404
    second = token_in(send(hotel, smtp))
    assert accept(first).status_code == 404
    assert accept(second).status_code == 302


def test_invitation_link_of_one_hotel_is_not_valid_at_another_hotel(
    hotel: Hotel, other_hotel: Hotel, smtp: MailServer
) -> None:
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    services.invite_manager(hotel_id=other_hotel.id, email=ADDRESS)
    token = token_in(send(hotel, smtp))
    send(other_hotel, smtp)
    assert accept(token, Client(SERVER_NAME="beta.localhost")).status_code == 404
    assert accept(token).status_code == 302


def test_invitation_token_is_stored_only_as_a_digest(hotel: Hotel, smtp: MailServer) -> None:
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    token = token_in(send(hotel, smtp))
    with platform_context():
        stored: Any = ManagerInvitation.objects.values().get()
    assert token not in str(stored)
    assert bytes(stored["digest"]) == digest(token)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"password": "eleven-char", "repeated": "eleven-char"}, "at least 12 characters"),
        ({"password": "x" * 257, "repeated": "x" * 257}, "at most 256 characters"),
        ({"repeated": "another horse battery"}, "The two passwords are different."),
        ({"password": "123456789012", "repeated": "123456789012"}, "entirely numeric"),
        ({"username": "anna"}, "is already in use"),
        ({"username": ""}, "This field is required."),
    ],
)
def test_invitation_form_with_an_invalid_value_shows_the_reason_and_the_link_stays_valid(
    hotel: Hotel, smtp: MailServer, changes: dict[str, Any], message: str
) -> None:
    with hotel_context(hotel):
        User.objects.create_user(username="Anna", password=None, role=Role.AUDITOR)
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    token = token_in(send(hotel, smtp))
    response = accept(token, **changes)
    assert response.status_code == 200
    assert message in unescape(response.content.decode())
    assert accept(token).status_code == 302


def test_hotel_with_a_manager_cannot_get_another_manager_from_the_platform(
    hotel: Hotel, smtp: MailServer
) -> None:
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    token = token_in(send(hotel, smtp))
    with hotel_context(hotel):
        manager = User.objects.create_user(username="ana", password=None, role=Role.MANAGER)
    with pytest.raises(ManagerConflict):
        services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    assert accept(token).status_code == 404
    with hotel_context(hotel):
        manager.is_active = False
        manager.save()
    assert accept(token).status_code == 302


def test_suspended_hotel_refuses_an_invitation(hotel: Hotel) -> None:
    services.suspend_hotel(hotel_id=hotel.id)
    with pytest.raises(HotelStateError):
        services.invite_manager(hotel_id=hotel.id, email=ADDRESS)


def test_mail_server_error_is_shown_to_the_platform_and_the_next_attempt_succeeds(
    hotel: Hotel, smtp: MailServer, operator: Client
) -> None:
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    smtp.refuse(ADDRESS, "451 4.7.1 try again later", times=1)
    with hotel_context(hotel), pytest.raises(Exception, match=r"4\.7\.1"):
        tasks.send_invitations([str(hotel.id)])
    url = f"/admin/tenants/hotel/{hotel.id}/invite/"
    page = unescape(operator.get(url).content.decode())
    assert "could not be sent (SMTPRecipientsRefused)" in page
    assert due_invitations() == [hotel.id]
    send(hotel, smtp)
    assert "could not be sent" not in operator.get(url).content.decode()


def test_expired_invitation_is_deleted_after_thirty_days(hotel: Hotel, smtp: MailServer) -> None:
    services.invite_manager(hotel_id=hotel.id, email=ADDRESS)
    send(hotel, smtp)
    with platform_context():
        tasks.delete_expired_platform_records()
        invitation = ManagerInvitation.objects.get()
        assert invitation.expires_at is not None
        ManagerInvitation.objects.update(expires_at=invitation.expires_at - timedelta(days=38))
        tasks.delete_expired_platform_records()
        assert not ManagerInvitation.objects.exists()


def test_new_hotel_in_the_platform_admin_is_provisioned_and_its_manager_invited(
    operator: Client, smtp: MailServer, django_capture_on_commit_callbacks: Any
) -> None:
    values = {"name": "Hotel Sol", "slug": "sol", "time_zone": "Europe/Madrid", "language": "es", "email": ""}
    response = operator.post("/admin/tenants/hotel/add/", {**values, "manager_email": ADDRESS})
    assert response.status_code == 302
    with platform_context():
        hotel = Hotel.objects.get(slug="sol")
        assert hotel.status == HotelStatus.PROVISIONING
        assert ManagerInvitation.objects.get(hotel=hotel).email == ADDRESS
    assert due_invitations() == []


def test_platform_admin_sends_an_invitation_again(operator: Client, hotel: Hotel, smtp: MailServer) -> None:
    url = f"/admin/tenants/hotel/{hotel.id}/invite/"
    assert operator.post(url, {"email": ADDRESS}).status_code == 302
    first = token_in(send(hotel, smtp))
    assert "was sent on" in operator.get(url).content.decode()
    assert operator.post(url, {"email": ADDRESS}).status_code == 302
    second = token_in(send(hotel, smtp))
    assert first != second
    assert accept(second).status_code == 302
    assert "The hotel has a manager." in operator.get(url).content.decode()
    refused = operator.post(url, {"email": "eve@example.com"})
    assert refused.status_code == 200
    assert "already has a manager" in refused.content.decode()


@pytest.mark.django_db(transaction=True)
def test_create_hotel_with_a_manager_address_sends_an_e_mail_in_the_language_of_the_hotel(
    smtp: MailServer,
) -> None:
    call_command(
        "create_hotel", "sol", "--name", "Hotel Sol", "--language", "es", "--manager-email", ADDRESS,
        stdout=(out := StringIO()),
    )  # fmt: skip
    assert ADDRESS in out.getvalue()
    with platform_context():
        hotel = Hotel.objects.get(slug="sol")
    assert due_invitations() == [hotel.id]
    message = send(hotel, smtp)
    assert message["Subject"] == "Su invitación a Hotel Sol"
    assert message["Content-Language"] == "es"
    assert link_in(message).startswith("http://sol.localhost:")
    assert {"hotel.manager_invited", "hotel.manager_invitation_sent"} <= events_of(hotel)


@pytest.mark.django_db(transaction=True)
def test_invitation_of_a_new_hotel_becomes_due_when_the_hotel_is_active() -> None:
    hotel = services.register_hotel(slug="sol", name="Sol", manager_email=ADDRESS)
    assert due_invitations() == []
    provisioning.provision_hotel(hotel.id)
    assert due_invitations() == [hotel.id]


def test_create_hotel_with_an_invalid_manager_email_exits_with_code_2() -> None:
    with pytest.raises(CommandError, match="--manager-email") as error:
        call_command("create_hotel", "sol", "--manager-email", "rosa")
    assert error.value.returncode == 2
