"""Tests of building the e-mail message of a reminder and rendering its template."""

import dataclasses
import re
import uuid
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.policy import default
from email.utils import parseaddr
from typing import Any

import icalendar
import pytest
from django.core.mail import EmailMultiAlternatives
from django.utils.html import escape
from pytest_django import Settings

from reminders.errors import InvalidTemplate, MailRejected
from reminders.mail import rendering
from reminders.mail.branding import branding_context
from reminders.mail.calendar_attachment import stay_calendar
from reminders.mail.message_builder import build_message, message_id
from reminders.mail.template_validation import validate_template
from reminders.models import EmailBranding, Reminder, Reservation, Rule, Template
from tenants.context import Tenant

HOTEL = Tenant(
    id=uuid.UUID(int=7), slug="sol", schema="hotel_sol", role=None, name='Hotel "Sol" & Mar\r\nBcc: x@example.com',
    time_zone="Europe/Lisbon", language="en", status="active",
)  # fmt: skip

BRANDING = branding_context(HOTEL, branding=EmailBranding(), base_url="https://sol.hotels.example")


def build_reminder(**values: str) -> Reminder:
    reservation = Reservation(
        arrival=date(2030, 5, 10), departure=date(2030, 5, 12), guest_name="Ana",
        updated_at=datetime(2030, 1, 1, tzinfo=UTC), **({"external_id": "R1"} | values),
    )  # fmt: skip
    return Reminder(reservation=reservation, rule=Rule(name="test"), arrival=reservation.arrival)


def build_template(
    subject: str = "Hello {{ guest_name }}", html: str = "<p>{{ guest_name }}</p>"
) -> Template:
    return Template(language="en", subject=subject, html=html, text="{{ guest_name }}")


def raw_message(reminder: Reminder, *, recipient: str = "ana@example.com") -> bytes:
    message = build_message(reminder, template=build_template(), recipient=recipient, branding=BRANDING)
    raw: bytes = message.message().as_bytes()
    return raw.replace(b"\n", b"\r\n")


def test_guest_name_with_line_breaks_adds_no_header_to_the_message() -> None:
    reminder = build_reminder()
    reminder.reservation.guest_name = "Ana\r\nBcc: everybody@example.com\r\n\r\nbody"
    headers = raw_message(reminder).partition(b"\r\n\r\n")[0]
    assert not [line for line in headers.split(b"\r\n") if line.lower().startswith(b"bcc")]
    assert b"Subject: Hello Ana Bcc: everybody@example.com body" in headers


@pytest.mark.parametrize(
    "name", ["שלום עליכם", "مرحبا بالعالم", "😀 José 🏖", "A" * 200, "<script>alert(1)</script>"]
)
def test_message_with_unusual_characters_in_the_guest_name_is_valid(name: str) -> None:
    reminder = build_reminder()
    reminder.reservation.guest_name = name
    raw = raw_message(reminder)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998  # RFC 5322, 2.1.1
    html = message_from_bytes(raw, policy=default).get_body(["html"])
    assert html is not None
    assert "<script>" not in html.get_content()


@pytest.mark.parametrize(
    "address",
    [
        "ana",
        "ana@",
        "@example.com",
        "ana@example.com\nBcc: x@example.com",
        "a b@example.com",
        "ana@a\u200db.example",
    ],
)
def test_build_message_with_an_invalid_email_address_raises_mail_rejected(address: str) -> None:
    with pytest.raises(MailRejected):
        raw_message(build_reminder(), recipient=address)


def test_message_id_is_unique_per_reminder_and_the_same_for_each_attempt() -> None:
    reminder, other = build_reminder(), build_reminder()
    assert (
        message_id(reminder, hotel=HOTEL)
        == message_id(reminder, hotel=HOTEL)
        != message_id(other, hotel=HOTEL)
    )


def test_reply_to_header_contains_the_email_address_of_the_hotel() -> None:
    hotel = dataclasses.replace(HOTEL, email="reception@sol.example")
    branding = dataclasses.replace(BRANDING, hotel=hotel)
    message = build_message(
        build_reminder(), template=build_template(), recipient="ana@example.com", branding=branding
    )
    assert message.message()["Reply-To"] == "reception@sol.example"


def test_headers_with_a_special_hotel_name_and_a_long_link_are_parsable() -> None:
    hotel = dataclasses.replace(HOTEL, name="Müller, Söhne & Co. Hotel")
    branding = branding_context(
        hotel, branding=EmailBranding(), base_url="https://a-long-name.hotels.example"
    )
    message = build_message(
        build_reminder(), template=build_template(), recipient="guest+tag@example.org", branding=branding
    )
    raw = message.message().as_bytes()
    parsed = message_from_bytes(raw, policy=default)
    [sender] = parsed["From"].addresses
    assert sender.display_name == "Müller, Söhne & Co. Hotel"
    assert [address.addr_spec for address in parsed["To"].addresses] == ["guest+tag@example.org"]
    link = rb"^List-Unsubscribe:\s+<https://a-long-name\.hotels\.example/unsubscribe/[\w.\-]+/>$"
    assert re.search(link, raw, re.MULTILINE)


@pytest.mark.parametrize(
    "subject",
    ["Hi", "x" * 69, "x" * 70, "word " * 30, "Grüße", "ü" * 100, "=?utf-8?q?Hi?=", " Hi", "a\tb", "x" * 900],
)
def test_message_equals_the_message_of_django_except_for_the_mime_boundaries(subject: str) -> None:
    message = build_message(
        build_reminder(external_id=subject), template=build_template(subject=subject), recipient="ana@example.com",
        branding=BRANDING,
    )  # fmt: skip
    ours = message.message()
    reference: Any = EmailMultiAlternatives.message(message)
    reference.replace_header("Date", ours["Date"])
    for our_part, part in zip(ours.walk(), reference.walk(), strict=True):
        if part.is_multipart():
            part.set_boundary(our_part.get_boundary())
    assert ours.as_bytes(linesep="\r\n") == reference.as_bytes(linesep="\r\n")


def test_mime_boundaries_of_two_messages_differ() -> None:
    boundaries = set(
        re.findall(rb'boundary="(.+)"', raw_message(build_reminder()) + raw_message(build_reminder()))
    )
    assert len(boundaries) == 4


def test_message_addresses_with_an_internationalized_domain_keep_the_exact_domain(settings: Settings) -> None:
    settings.DEFAULT_FROM_EMAIL = "hotelagent <mail@gruß.example>"
    hotel = dataclasses.replace(HOTEL, email="reception@haßloch.example")
    branding = dataclasses.replace(BRANDING, hotel=hotel)
    headers = build_message(
        build_reminder(), template=build_template(), recipient="ana@faß.example", branding=branding
    ).message()
    assert headers["To"] == "ana@xn--fa-hia.example"
    assert headers["Reply-To"] == "reception@xn--haloch-cta.example"
    assert parseaddr(headers["From"])[1] == "mail@xn--gru-7ka.example"


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("subject", "{{ guest_nmae }}"),
        ("html", "{% if arival %}x{% endif %}"),
        ("html", "{{ guest_name|default:hotel }}"),
        ("text", "{{ guest_name|nosuchfilter }}"),
        ("text", "{% for x in rooms %}{{ x }}{% endfor %}"),
        ("text", "{% if nights > 2 %}"),
        ("html", "{% include 'other.html' %}"),
        ("html", "{% load static %}"),
        ("html", "{% debug %}"),
        ("html", "{{ guest_name|safe }}"),
        ("html", "{% autoescape off %}{{ guest_name }}{% endautoescape %}"),
    ],
)  # fmt: skip
def test_template_validation_error_contains_the_name_of_the_invalid_part(part: str, source: str) -> None:
    parts = {"subject": "a", "text": "b", "html": "c", part: source}
    with pytest.raises(InvalidTemplate) as raised:
        validate_template(**parts)
    assert raised.value.extra["part"] == part


def test_template_with_tags_filters_and_conditions_passes_validation() -> None:
    validate_template(
        subject="{{ guest_name|upper }}",
        text="{% if nights > 2 and children %}{{ arrival }}{% else %}{{ departure }}{% endif %}",
        html="{% with n=nights %}{{ n }}{{ hotel_name|default:number }}{% endwith %}",
    )


def test_default_templates_pass_validation(in_hotel: object) -> None:
    templates = list(Template.objects.all())
    assert len(templates) == 6
    for template in templates:
        validate_template(subject=template.subject, text=template.text, html=template.html)


def test_long_date_uses_the_date_format_of_the_language() -> None:
    day = date(2030, 5, 10)
    assert rendering.long_date(day, language="es") == "viernes, 10 de mayo de 2030"
    assert rendering.long_date(day, language="pt") == "sexta-feira, 10 de maio de 2030"
    assert rendering.long_date(day, language="en") == "Friday, 10 May 2030"


def test_calendar_attachment_with_a_long_hotel_name_folds_the_line() -> None:
    name = "Hôtel; de, la \\ Paix\nX-EVIL:1 " + "ñ" * 100
    text = stay_calendar(build_reminder().reservation, hotel_name=name, uid="a@b")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    [event] = icalendar.Calendar.from_ical(text).walk("VEVENT")
    assert event["SUMMARY"] == name
    assert "X-EVIL" not in event


@pytest.mark.parametrize("name", ["Ana", "<b>João & 'Filhos'</b>", "{{ subject }} {{ body }}"])
@pytest.mark.parametrize("language", ["en", "es", "he"])
def test_html_in_the_values_of_the_mail_layout_is_escaped(name: str, language: str) -> None:
    reminder = build_reminder()
    reminder.reservation.guest_name = name
    template = build_template(html="<p>{{ guest_name }} &amp; co.</p>")
    template.language = language
    url = "https://sol.hotels.example/unsubscribe/a&b/"
    rendered = rendering.render(
        template, reservation=reminder.reservation, branding=BRANDING, unsubscribe_url=url
    )
    assert f"<title>Hello {escape(rendered.subject.removeprefix('Hello '))}</title>" in rendered.html
    assert f'<a href="{escape(url)}"' in rendered.html
    assert f"<p>{escape(rendered.text.partition(chr(10))[0])} &amp; co.</p>" in rendered.html
