"""Tests of messages with unusual guest names and templates.

The tests parse each message that the mail server received. Either the message is correct, or an error explains what to
do.
"""

from __future__ import annotations

from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import pytest
from rest_framework.test import APIClient

from dlq.models import Failure
from reminders.errors import InvalidReservation, InvalidTemplate
from reminders.mail.template_validation import validate_template
from reminders.models import Reminder, Reservation, Rule, Template
from reminders.sending import batch
from tests.reminders.conftest import Clock
from tests.servers import MailServer

pytestmark = pytest.mark.django_db
Book = Callable[..., Reservation]
FAMILY = "👨‍👩‍👧"


@pytest.fixture
def send(book: Book, clock: Clock, smtp: MailServer) -> Callable[..., EmailMessage | None]:
    """Return a function that books a stay, sends the reminder, and returns the received message or None.

    Example: send(guest_name="x").
    """

    def send(stored: dict[str, Any] | None = None, **fields: Any) -> EmailMessage | None:
        """Book a stay, send the reminder, and return the message that the mail server received, or None.

        The values in `stored` are written directly to the columns of the reservation, without validation.
        """
        clock("2030-05-09 12:00")
        reservation = book("R1", "2030-05-10", "2030-05-12", **fields)
        if stored:
            Reservation.objects.filter(id=reservation.id).update(**stored)
        batch.send_due([reminder.id for reminder in Reminder.objects.filter(status="scheduled")])
        return smtp.accepted[-1] if smtp.accepted else None

    return send


def part(mail: EmailMessage | None, kind: str) -> str:
    body = mail.get_body([kind]) if mail else None
    assert body is not None
    return str(body.get_content())


def test_guest_name_with_line_breaks_adds_no_header_and_no_recipient(
    send: Callable[..., EmailMessage | None],
) -> None:
    name = "Ana\r\nBcc: everybody@example.com\r\nX-Evil: 1\r\n\r\nbody"
    Template.objects.update(subject="Hello {{ guest_name }}")
    mail = send(stored={"guest_name": name})
    assert mail is not None
    assert mail["Subject"] == "Hello Ana Bcc: everybody@example.com X-Evil: 1 body"
    assert (mail["Bcc"], mail["X-Evil"]) == (None, None)
    assert mail["X-Envelope-To"] == "r1@example.com"


def test_guest_name_with_html_tags_is_escaped_only_in_the_html_part(
    send: Callable[..., EmailMessage | None],
) -> None:
    mail = send(guest_name="<img src=x onerror=alert(1)> & Söhne")
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; Söhne" in part(mail, "html")
    assert "<img src=x onerror=alert(1)> & Söhne" in part(mail, "plain")


def test_emojis_in_guest_names_arrive_unchanged(send: Callable[..., EmailMessage | None]) -> None:
    Template.objects.update(subject="{{ guest_name }}")
    mail = send(guest_name=f"José {FAMILY} 🏖")
    assert mail is not None
    assert mail["Subject"] == f"José {FAMILY} 🏖"
    assert FAMILY in part(mail, "plain")
    assert FAMILY in part(mail, "html")


@pytest.mark.parametrize("name", ["שלום עליכם", "مرحبا بالعالم"])
def test_right_to_left_name_in_an_english_message_gets_unicode_isolates(
    send: Callable[..., EmailMessage | None], name: str
) -> None:
    Template.objects.update(subject="{{ guest_name }}, see you")
    mail = send(guest_name=name)
    assert mail is not None
    assert mail["Subject"] == f"{name}, see you"
    html = part(mail, "html")
    assert '<html lang="en" dir="ltr">' in html
    assert f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}" in html


def test_arabic_message_has_right_to_left_text_direction(send: Callable[..., EmailMessage | None]) -> None:
    Template.objects.filter(language="en").update(language="ar", html="<p>عزيزي {{ guest_name }}</p>")
    html = part(send(language="ar", guest_name="Ana"), "html")
    assert '<html lang="ar" dir="rtl">' in html
    assert '<td class="m-body" dir="rtl"' in html
    assert "عزيزي \N{FIRST STRONG ISOLATE}Ana\N{POP DIRECTIONAL ISOLATE}" in html


def test_direction_override_characters_are_removed_from_guest_names(
    send: Callable[..., EmailMessage | None],
) -> None:
    mail = send(guest_name="Ana \N{RIGHT-TO-LEFT OVERRIDE}gro.elpmaxe")
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in part(mail, "html") + part(mail, "plain")


def test_guest_name_of_ten_thousand_characters_is_rejected_with_a_field_error(
    api: APIClient, book: Book
) -> None:
    with pytest.raises(InvalidReservation, match="guest_name: Ensure this value has at most 200 characters"):
        book("R1", "2030-05-10", "2030-05-12", guest_name="A" * 10_000)
    response = api.put(
        "/api/v1/reservations/by-external-id/R1/",
        {"arrival": "2030-05-10", "departure": "2030-05-12", "guest_name": "A" * 10_000},
    )
    assert response.status_code == 400
    assert "guest_name" in str(response.json())


def test_guest_name_of_the_maximum_length_is_sent(send: Callable[..., EmailMessage | None]) -> None:
    Template.objects.update(subject="{{ guest_name }} {{ guest_name }}")
    mail = send(guest_name="ñ" * 200)
    assert mail is not None
    assert mail["Subject"].strip() == "ñ" * 200  # the header is folded before the long word
    assert "ñ" * 200 in part(mail, "plain")


@pytest.mark.parametrize("address", ["ana", "ana@", "ana@example.com\r\nBcc: x@example.com", "ana@-.-"])
def test_reservation_with_an_invalid_email_address_is_rejected(book: Book, address: str) -> None:
    with pytest.raises(InvalidReservation, match="guest_email"):
        book("R1", "2030-05-10", "2030-05-12", guest_email=address)


def test_reminder_of_a_reservation_with_an_invalid_email_address_fails_with_an_error(
    send: Callable[..., EmailMessage | None],
) -> None:
    assert send(stored={"guest_email": "ana"}) is None
    reminder = Reminder.objects.get(status="failed")
    assert reminder.error_message.startswith("The e-mail address of the reservation is not valid. Correct it")
    assert Failure.objects.get().payload["to"] == "ana"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("{% if nights %}", "Unclosed tag"),
        ("{% for a, b in guest_name %}{{ a }}{% endfor %}", "Need 2 values to unpack"),
    ],
)
def test_template_that_fails_to_render_is_rejected_and_does_not_affect_other_messages(
    send: Callable[..., EmailMessage | None], html: str, expected: str
) -> None:
    with pytest.raises(InvalidTemplate, match=expected):
        validate_template(subject="a", text="b", html=html)
    Template.objects.filter(language="en").update(html=html)  # without validation
    assert send() is None
    assert expected in Reminder.objects.get(status="failed").error_message
    assert Failure.objects.count() == 1


def test_template_over_the_maximum_length_is_rejected() -> None:
    with pytest.raises(InvalidTemplate, match="The text is too long: 60001 characters \\(limit: 60000\\)"):
        validate_template(subject="a", text="b", html="x" * 60_001)


def test_message_over_the_maximum_size_fails_with_an_error(
    send: Callable[..., EmailMessage | None],
) -> None:
    Template.objects.update(html="{% for x in guest_name %}" + "€" * 50_000 + "{% endfor %}")
    assert send(guest_name="Anna") is None
    error = Reminder.objects.get(status="failed").error_message
    assert "kB with its attachment (limit: 500 kB)" in error


def test_message_that_the_mail_server_rejects_as_too_large_fails(
    send: Callable[..., EmailMessage | None], smtp: MailServer
) -> None:
    smtp.refuse("r1@example.com", "552 5.3.4 message too big for this mailbox")
    assert send() is None
    assert "552 5.3.4 message too big" in Reminder.objects.get(status="failed").error_message


def test_new_template_in_another_language_is_used_for_guests_with_that_language(
    send: Callable[..., EmailMessage | None],
) -> None:
    rule = Rule.objects.get(offset_days=1)
    Template.objects.create(
        rule=rule,
        language="de",
        subject="Bis morgen, {{ guest_name }}",
        html="<p>{{ arrival }}</p>",
        text="x",
    )
    mail = send(language="de-at")
    assert mail is not None
    assert (mail["Subject"], mail["Content-Language"]) == ("Bis morgen, Ana Lima", "de")
    html = part(mail, "html")
    assert "Freitag, 10. Mai 2030" in html
    assert 'class="m-foot" lang="en"' in html  # the layout is not translated into German


@pytest.mark.parametrize(
    ("language", "subject", "stop"),
    [
        ("pt-br", "Hotel Alpha: tudo pronto para a sua chegada", "Cancelar a subscrição"),
        ("es", "Hotel Alpha: todo está listo para su llegada", "Darse de baja"),
        ("fr", "Hotel Alpha: everything is ready for your arrival", "Unsubscribe"),
    ],
)
def test_message_uses_the_template_in_the_closest_available_language(
    send: Callable[..., EmailMessage | None], language: str, subject: str, stop: str
) -> None:
    mail = send(language=language)
    assert mail is not None
    assert mail["Subject"] == subject
    assert f"{stop}: http" in part(mail, "plain")
    assert f">{stop}</a>" in part(mail, "html")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('{{ guest_name|center:"3000000000" }}', "Invalid filter: 'center'"),
        ('{{ guest_name|ljust:"3000000000" }}', "Invalid filter: 'ljust'"),
        ('{{ nights|stringformat:"0999999999d" }}', "Invalid filter: 'stringformat'"),
        ("{{ guest_name|join:guest_name|join:guest_name }}", "Invalid filter: 'join'"),
        ("{{ guest_name|addslashes|pprint }}", "Invalid filter"),
        ('{% filter rjust:"3000000000" %}x{% endfilter %}', "can't use the tag or filter “filter”"),
        ("{{ guest_name|add:guest_name }}", "The filter add needs two whole numbers"),
        (
            "{% for a in guest_name %}{% for b in guest_name %}x{% endfor %}{% endfor %}",
            "A loop can't contain another loop",
        ),
        (
            "{% for a in guest_name %}{% if a %}{% for b in a %}x{% endfor %}{% endif %}{% endfor %}",
            "another loop",
        ),
    ],
)
def test_template_whose_rendering_could_use_much_memory_or_time_is_rejected(html: str, expected: str) -> None:
    with pytest.raises(InvalidTemplate, match=expected):
        validate_template(subject="a", text="b", html=html)


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("{{ nights|add:1 }} {{ nights|add:'-1' }}", "3 1"),
        ("{{ guest_name|upper|truncatechars:4 }}", "ANA…"),
        (
            "{{ nights }} night{{ nights|pluralize }}, {{ children|yesno:'with,without' }}",
            "2 nights, without",
        ),
        ("{{ room_type|default:'any' }} {{ guest_name|cut:' '|lower }}", "any analima"),
        ("{% for letter in number %}{{ letter|escape }}-{% endfor %}", "R-1-"),
    ],
)
def test_template_with_allowed_filters_is_rendered(
    send: Callable[..., EmailMessage | None], html: str, shown: str
) -> None:
    validate_template(subject="a", text="b", html=html)
    Template.objects.filter(language="en").update(html=f"<p>{html}</p>")
    mail = send()
    assert mail is not None
    body = mail.get_body(("html",))
    assert body is not None
    assert f"<p>{shown}</p>" in body.get_content()


@pytest.mark.parametrize(
    ("language", "greeting"),
    [("en", "Dear guest,"), ("es", "Estimado/a huésped:"), ("pt", "Caro/a hóspede,")],
)
def test_message_to_a_guest_without_a_name_begins_with_a_neutral_greeting(
    send: Callable[..., EmailMessage | None], language: str, greeting: str
) -> None:
    assert greeting in part(send(stored={"guest_name": "", "language": language}), "plain")
