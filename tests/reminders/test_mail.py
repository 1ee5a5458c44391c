"""What a mail says, whoever the guest says to be and whatever staff wrote into the template."""

import dataclasses
import uuid
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.policy import default

import icalendar
import pytest
from django.utils.html import escape

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

HEAD = branding_context(HOTEL, branding=EmailBranding(), base_url="https://sol.hotels.example")


def reminder(**guest: str) -> Reminder:
    reservation = Reservation(
        arrival=date(2030, 5, 10), departure=date(2030, 5, 12), guest_name="Ana",
        updated_at=datetime(2030, 1, 1, tzinfo=UTC), **({"external_id": "R1"} | guest),
    )  # fmt: skip
    return Reminder(reservation=reservation, rule=Rule(name="test"), arrival=reservation.arrival)


def template(subject: str = "Hello {{ guest_name }}", html: str = "<p>{{ guest_name }}</p>") -> Template:
    return Template(language="en", subject=subject, html=html, text="{{ guest_name }}")


def composed(one: Reminder, recipient: str = "ana@example.com") -> bytes:
    message = build_message(one, template=template(), recipient=recipient, branding=HEAD)
    return message.message().as_bytes().replace(b"\n", b"\r\n")


def test_no_name_gets_into_the_headers() -> None:
    one = reminder()
    one.reservation.guest_name = "Ana\r\nBcc: everybody@example.com\r\n\r\nbody"
    head = composed(one).partition(b"\r\n\r\n")[0]
    assert not [line for line in head.split(b"\r\n") if line.lower().startswith(b"bcc")]
    assert b"Subject: Hello Ana Bcc: everybody@example.com body" in head


@pytest.mark.parametrize(
    "name", ["שלום עליכם", "مرحبا بالعالم", "😀 José 🏖", "A" * 200, "<script>alert(1)</script>"]
)
def test_any_name_makes_a_correct_mail(name: str) -> None:
    one = reminder()
    one.reservation.guest_name = name
    raw = composed(one)
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998  # RFC 5322, 2.1.1
    html = message_from_bytes(raw, policy=default).get_body(["html"])
    assert html is not None
    assert "<script>" not in html.get_content()


@pytest.mark.parametrize(
    "address", ["ana", "ana@", "@example.com", "ana@example.com\nBcc: x@example.com", "a b@example.com"]
)
def test_an_address_that_can_not_be_is_refused_before_any_server_sees_it(address: str) -> None:
    with pytest.raises(MailRejected):
        composed(reminder(), recipient=address)


def test_the_message_id_is_the_reminders_own() -> None:
    one, other = reminder(), reminder()
    assert message_id(one, hotel=HOTEL) == message_id(one, hotel=HOTEL) != message_id(other, hotel=HOTEL)


def test_a_guests_answer_goes_to_the_hotel() -> None:
    hotel = dataclasses.replace(HOTEL, email="reception@sol.example")
    head = dataclasses.replace(HEAD, hotel=hotel)
    message = build_message(reminder(), template=template(), recipient="ana@example.com", branding=head)
    assert message.message()["Reply-To"] == "reception@sol.example"


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
def test_a_wrong_template_is_told_when_it_is_saved(part: str, source: str) -> None:
    parts = {"subject": "a", "text": "b", "html": "c", part: source}
    with pytest.raises(InvalidTemplate) as refusal:
        validate_template(**parts)
    assert refusal.value.extra["part"] == part


def test_a_sound_template_passes() -> None:
    validate_template(
        subject="{{ guest_name|upper }}",
        text="{% if nights > 2 and children %}{{ arrival }}{% else %}{{ departure }}{% endif %}",
        html="{% with n=nights %}{{ n }}{{ hotel_name|default:number }}{% endwith %}",
    )


def test_the_shipped_templates_pass(in_hotel: object) -> None:
    shipped = list(Template.objects.all())
    assert len(shipped) == 6
    for one in shipped:
        validate_template(subject=one.subject, text=one.text, html=one.html)


def test_dates_are_written_as_the_language_does() -> None:
    day = date(2030, 5, 10)
    assert rendering.long_date(day, language="es") == "viernes, 10 de mayo de 2030"
    assert rendering.long_date(day, language="pt") == "sexta-feira, 10 de maio de 2030"
    assert rendering.long_date(day, language="en") == "Friday, 10 May 2030"


def test_the_calendar_entry_survives_any_name() -> None:
    name = "Hôtel; de, la \\ Paix\nX-EVIL:1 " + "ñ" * 100
    text = stay_calendar(reminder().reservation, hotel_name=name, uid="a@b")
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    [event] = icalendar.Calendar.from_ical(text).walk("VEVENT")
    assert event["SUMMARY"] == name
    assert "X-EVIL" not in event


@pytest.mark.parametrize("name", ["Ana", "<b>João & 'Filhos'</b>", "{{ subject }} {{ body }}"])
@pytest.mark.parametrize("language", ["en", "es", "he"])
def test_render_escapes_the_values_in_the_layout(name: str, language: str) -> None:
    one = reminder()
    one.reservation.guest_name = name
    written = template(html="<p>{{ guest_name }} &amp; co.</p>")
    written.language = language
    url = "https://sol.hotels.example/unsubscribe/a&b/"
    rendered = rendering.render(written, reservation=one.reservation, branding=HEAD, unsubscribe_url=url)
    assert f"<title>Hello {escape(rendered.subject.removeprefix('Hello '))}</title>" in rendered.html
    assert f'<a href="{escape(url)}"' in rendered.html
    assert f"<p>{escape(rendered.text.partition(chr(10))[0])} &amp; co.</p>" in rendered.html
