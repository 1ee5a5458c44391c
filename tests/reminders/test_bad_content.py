"""Whatever a guest is called and whatever staff wrote: a correct mail, or an error that says what to do.

Mails are read as the mail server got them.
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

pytestmark = pytest.mark.django_db(transaction=True)
Book = Callable[..., Reservation]
FAMILY = "👨‍👩‍👧"


@pytest.fixture
def mailed(book: Book, clock: Clock, smtp: MailServer) -> Callable[..., EmailMessage | None]:
    """mailed(guest_name="x"): the mail that the server got about this booking; None where it got none."""

    def send(stored: dict[str, Any] | None = None, **fields: Any) -> EmailMessage | None:
        """`stored` goes past every check, straight into the table."""
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


def test_a_name_can_not_add_a_header_or_a_reader(mailed: Callable[..., EmailMessage | None]) -> None:
    name = "Ana\r\nBcc: everybody@example.com\r\nX-Evil: 1\r\n\r\nbody"
    Template.objects.update(subject="Hello {{ guest_name }}")
    mail = mailed(stored={"guest_name": name})
    assert mail is not None
    assert mail["Subject"] == "Hello Ana Bcc: everybody@example.com X-Evil: 1 body"
    assert (mail["Bcc"], mail["X-Evil"]) == (None, None)
    assert mail["X-Envelope-To"] == "r1@example.com"


def test_a_name_is_no_markup(mailed: Callable[..., EmailMessage | None]) -> None:
    mail = mailed(guest_name="<img src=x onerror=alert(1)> & Söhne")
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; Söhne" in part(mail, "html")
    assert "<img src=x onerror=alert(1)> & Söhne" in part(mail, "plain")


def test_emoji_arrive_whole(mailed: Callable[..., EmailMessage | None]) -> None:
    Template.objects.update(subject="{{ guest_name }}")
    mail = mailed(guest_name=f"José {FAMILY} 🏖")
    assert mail is not None
    assert mail["Subject"] == f"José {FAMILY} 🏖"
    assert FAMILY in part(mail, "plain")
    assert FAMILY in part(mail, "html")


@pytest.mark.parametrize("name", ["שלום עליכם", "مرحبا بالعالم"])
def test_a_name_that_reads_the_other_way_turns_nothing_round(
    mailed: Callable[..., EmailMessage | None], name: str
) -> None:
    Template.objects.update(subject="{{ guest_name }}, see you")
    mail = mailed(guest_name=name)
    assert mail is not None
    assert mail["Subject"] == f"{name}, see you"
    html = part(mail, "html")
    assert '<html lang="en" dir="ltr">' in html
    assert f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}" in html


def test_a_mail_in_arabic_reads_from_the_right(mailed: Callable[..., EmailMessage | None]) -> None:
    Template.objects.filter(language="en").update(language="ar", html="<p>عزيزي {{ guest_name }}</p>")
    html = part(mailed(language="ar", guest_name="Ana"), "html")
    assert '<html lang="ar" dir="rtl">' in html
    assert '<td class="m-body" dir="rtl"' in html
    assert "عزيزي \N{FIRST STRONG ISOLATE}Ana\N{POP DIRECTIONAL ISOLATE}" in html


def test_what_turns_the_reading_direction_does_not_get_in(mailed: Callable[..., EmailMessage | None]) -> None:
    mail = mailed(guest_name="Ana \N{RIGHT-TO-LEFT OVERRIDE}gro.elpmaxe")
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in part(mail, "html") + part(mail, "plain")


def test_a_name_of_ten_thousand_characters_is_refused_and_said(api: APIClient, book: Book) -> None:
    with pytest.raises(InvalidReservation, match="guest_name: Ensure this value has at most 200 characters"):
        book("R1", "2030-05-10", "2030-05-12", guest_name="A" * 10_000)
    answer = api.put(
        "/api/v1/reservations/by-external-id/R1/",
        {"arrival": "2030-05-10", "departure": "2030-05-12", "guest_name": "A" * 10_000},
    )
    assert answer.status_code == 400
    assert "guest_name" in str(answer.json())


def test_the_longest_name_makes_a_mail(mailed: Callable[..., EmailMessage | None]) -> None:
    Template.objects.update(subject="{{ guest_name }} {{ guest_name }}")
    mail = mailed(guest_name="ñ" * 200)
    assert mail is not None
    assert mail["Subject"].strip() == "ñ" * 200  # it begins on the line below its name
    assert "ñ" * 200 in part(mail, "plain")


@pytest.mark.parametrize("address", ["ana", "ana@", "ana@example.com\r\nBcc: x@example.com", "ana@-.-"])
def test_an_address_without_a_domain_is_refused_when_it_is_given(book: Book, address: str) -> None:
    with pytest.raises(InvalidReservation, match="guest_email"):
        book("R1", "2030-05-10", "2030-05-12", guest_email=address)


def test_one_that_is_stored_all_the_same_fails_and_says_why(
    mailed: Callable[..., EmailMessage | None],
) -> None:
    assert mailed(stored={"guest_email": "ana"}) is None
    reminder = Reminder.objects.get(status="failed")
    assert reminder.error_message.startswith("The e-mail address of the reservation is not valid. Correct it")
    assert Failure.objects.get().payload["to"] == "ana"


@pytest.mark.parametrize(
    ("html", "says"),
    [
        ("{% if nights %}", "Unclosed tag"),
        ("{% for a, b in guest_name %}{{ a }}{% endfor %}", "Need 2 values to unpack"),
    ],
)
def test_a_template_that_can_not_be_filled_is_refused_and_fails_its_mail_alone(
    mailed: Callable[..., EmailMessage | None], html: str, says: str
) -> None:
    with pytest.raises(InvalidTemplate, match=says):
        validate_template(subject="a", text="b", html=html)
    Template.objects.filter(language="en").update(html=html)  # past the check
    assert mailed() is None
    assert says in Reminder.objects.get(status="failed").error_message
    assert Failure.objects.count() == 1


def test_a_template_that_is_too_long_is_refused_when_it_is_saved() -> None:
    with pytest.raises(InvalidTemplate, match="60001 characters are too many \\(limit: 60000\\)"):
        validate_template(subject="a", text="b", html="x" * 60_001)


def test_a_mail_that_is_too_large_is_not_sent_and_says_so(
    mailed: Callable[..., EmailMessage | None],
) -> None:
    Template.objects.update(html="{% for x in guest_name %}" + "x" * 60_000 + "{% endfor %}")
    assert mailed(guest_name="ten chars.") is None
    error = Reminder.objects.get(status="failed").error_message
    assert "kB with its attachment (limit: 500 kB)" in error


def test_what_the_mail_server_finds_too_large_is_not_tried_again(
    mailed: Callable[..., EmailMessage | None], smtp: MailServer
) -> None:
    smtp.refuse("r1@example.com", "552 5.3.4 message too big for this mailbox")
    assert mailed() is None
    assert "552 5.3.4 message too big" in Reminder.objects.get(status="failed").error_message


def test_a_language_is_added_by_adding_a_template(mailed: Callable[..., EmailMessage | None]) -> None:
    rule = Rule.objects.get(offset_days=1)
    Template.objects.create(
        rule=rule,
        language="de",
        subject="Bis morgen, {{ guest_name }}",
        html="<p>{{ arrival }}</p>",
        text="x",
    )
    mail = mailed(language="de-at")
    assert mail is not None
    assert (mail["Subject"], mail["Content-Language"]) == ("Bis morgen, Ana Lima", "de")
    html = part(mail, "html")
    assert "Freitag, 10. Mai 2030" in html
    assert 'class="m-foot" lang="en"' in html  # what stands around it is not there in German


@pytest.mark.parametrize(
    ("language", "subject", "stop"),
    [
        ("pt-br", "Hotel Alpha: tudo pronto para a sua chegada", "Cancelar a subscrição"),
        ("es", "Hotel Alpha: todo está listo para su llegada", "Darse de baja"),
        ("fr", "Hotel Alpha: everything is ready for your arrival", "Unsubscribe"),
    ],
)
def test_each_guest_reads_the_nearest_language(
    mailed: Callable[..., EmailMessage | None], language: str, subject: str, stop: str
) -> None:
    mail = mailed(language=language)
    assert mail is not None
    assert mail["Subject"] == subject
    assert f"{stop}: http" in part(mail, "plain")
    assert f">{stop}</a>" in part(mail, "html")


@pytest.mark.parametrize(
    ("html", "says"),
    [
        ('{{ guest_name|center:"3000000000" }}', "Invalid filter: 'center'"),
        ('{{ guest_name|ljust:"3000000000" }}', "Invalid filter: 'ljust'"),
        ('{{ nights|stringformat:"0999999999d" }}', "Invalid filter: 'stringformat'"),
        ("{{ guest_name|join:guest_name|join:guest_name }}", "Invalid filter: 'join'"),
        ("{{ guest_name|addslashes|pprint }}", "Invalid filter"),
        ('{% filter rjust:"3000000000" %}x{% endfilter %}', "Invalid filter: 'rjust'"),
        ("{{ guest_name|add:guest_name }}", "invalid literal for int"),
        (
            "{% for a in guest_name %}{% for b in guest_name %}x{% endfor %}{% endfor %}",
            "Loops can't be nested",
        ),
        ("{% for a in guest_name %}{% if a %}{% for b in a %}x{% endfor %}{% endif %}{% endfor %}", "Loops"),
    ],
)
def test_a_template_that_takes_the_memory_or_the_time_of_all_hotels_is_refused(html: str, says: str) -> None:
    with pytest.raises(InvalidTemplate, match=says):
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
def test_a_template_may_do_with_values_what_letters_need(
    mailed: Callable[..., EmailMessage | None], html: str, shown: str
) -> None:
    validate_template(subject="a", text="b", html=html)
    Template.objects.filter(language="en").update(html=f"<p>{html}</p>")
    mail = mailed()
    assert mail is not None
    body = mail.get_body(("html",))
    assert body is not None
    assert f"<p>{shown}</p>" in body.get_content()


@pytest.mark.parametrize(
    ("language", "greeting"),
    [("en", "Dear guest,"), ("es", "Estimado/a huésped:"), ("pt", "Caro/a hóspede,")],
)
def test_mail_to_a_guest_without_a_name_has_a_neutral_form_of_address(
    mailed: Callable[..., EmailMessage | None], language: str, greeting: str
) -> None:
    assert greeting in part(mailed(stored={"guest_name": "", "language": language}), "plain")
