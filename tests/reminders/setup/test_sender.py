"""Tests of the admin page on which managers set the reply address and send themselves a test e-mail."""

from html import unescape

import pytest
from django.test import Client

from audit.models import Event
from reminders.models import Template
from reminders.setup.steps import SetupStep, read_state
from tenants.models import Hotel, User
from tenants.scopes import Role
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
URL = "/admin/reminders/setupprogress/sender/"
TEST = f"{URL}test/"
ADDRESS = "manager@example.com"


def send_test(staff: Client) -> str:
    template = Template.objects.get(language="en", rule__offset_days=1)
    return unescape(staff.post(TEST, {"template": template.pk}, follow=True).content.decode())


def test_saved_reply_address_is_used_and_its_audit_event_omits_the_address(
    staff: Client, in_hotel: Hotel, smtp: MailServer
) -> None:
    User.objects.update(email=ADDRESS)
    response = staff.post(URL, {"email": "desk@alpha.example"}, follow=True)
    assert "The reply address was saved." in response.content.decode()
    in_hotel.refresh_from_db()
    assert in_hotel.email == "desk@alpha.example"
    event = Event.objects.get(event="email.reply_address_changed")
    assert "desk@alpha.example" not in str(event.data)
    send_test(staff)
    assert smtp.to(ADDRESS)[0]["Reply-To"] == "desk@alpha.example"
    staff.post(URL, {"email": "desk@alpha.example"})  # An unchanged address is not recorded again.
    assert Event.objects.filter(event="email.reply_address_changed").count() == 1


def test_invalid_reply_address_is_refused_with_an_error_at_the_field(staff: Client, in_hotel: Hotel) -> None:
    assert "Enter a valid email address." in staff.post(URL, {"email": "desk@"}).content.decode()
    in_hotel.refresh_from_db()
    assert in_hotel.email == ""


def test_test_email_has_the_branding_and_completes_the_test_email_step(
    staff: Client, in_hotel: Hotel, smtp: MailServer
) -> None:
    User.objects.update(email=ADDRESS)
    assert f"The mail server accepted the test e-mail to {ADDRESS}." in send_test(staff)
    message = smtp.to(ADDRESS)[0]
    assert in_hotel.name in str(message["From"])
    assert "#1f4e5f" in message.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert SetupStep.TEST_EMAIL in read_state().done
    assert Event.objects.filter(event="email.test_sent").count() == 1


def test_refused_test_email_shows_the_reply_of_the_mail_server(
    staff: Client, in_hotel: Hotel, smtp: MailServer
) -> None:
    User.objects.update(email=ADDRESS)
    smtp.refuse(ADDRESS)
    content = send_test(staff)
    assert "The test e-mail was not sent:" in content
    assert "no such mailbox" in content
    assert SetupStep.TEST_EMAIL not in read_state().done
    assert not Event.objects.filter(event="email.test_sent").exists()


def test_sender_page_links_to_an_account_without_an_email_address(
    staff: Client, in_hotel: Hotel, smtp: MailServer
) -> None:
    content = staff.get(URL).content.decode()
    assert "Your account has no e-mail address." in content
    assert f"/admin/tenants/user/{User.objects.get().pk}/change/" in content
    send_test(staff)
    assert smtp.accepted == []


def test_sender_page_of_a_hotel_without_templates_shows_a_message(staff: Client, in_hotel: Hotel) -> None:
    Template.objects.all().delete()
    assert "There is no template yet" in staff.get(URL).content.decode()


@pytest.mark.parametrize("role", [Role.FRONT_DESK, Role.AUDITOR])
def test_only_managers_change_the_sender_and_send_test_emails(
    staff: Client, in_hotel: Hotel, smtp: MailServer, role: Role
) -> None:
    User.objects.update(email=ADDRESS, role=role)
    assert staff.get(URL).status_code == 403
    assert staff.post(URL, {"email": "desk@alpha.example"}).status_code == 403
    assert staff.post(TEST, {"template": Template.objects.all()[0].pk}).status_code == 403
    assert smtp.accepted == []
    User.objects.update(role=Role.MANAGER)  # For comparison, a manager can send it.
    send_test(staff)
    assert len(smtp.accepted) == 1
