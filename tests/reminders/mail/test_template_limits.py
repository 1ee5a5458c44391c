"""Tests of the limits of templates, which must not use much memory or time whatever tags and filters they contain."""

import threading
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from django.template import Context, Engine
from django.test import Client

from dlq.models import Failure
from reminders.errors import InvalidTemplate
from reminders.mail import template_limits
from reminders.mail.template_sandbox import render_source
from reminders.mail.template_validation import validate_template
from reminders.models import Reminder, Reservation, Template
from reminders.sending import batch
from tests.reminders.conftest import Clock
from tests.servers import MailServer

Book = Callable[..., Reservation]
LOOP = '{% for letter in "' + "a" * 400 + '" %}'
LARGE_LOOP = LOOP + "b" * 50_000 + "{% endfor %}"
DOUBLED_NAME = "{{ guest_name" + ".encode.hex" * 22 + " }}"
TOO_MUCH_TEXT = "produces too much text"


def nested(tag: str, end: str, *, depth: int) -> str:
    return tag * depth + "x" + end * depth


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (LARGE_LOOP, TOO_MUCH_TEXT),
        ("{% for letter in guest_name %}" + "b" * 10_000 + "{% endfor %}", TOO_MUCH_TEXT),
        (LOOP + ("{{ guest_name" + "|urlencode" * 45 + " }}") * 100 + "{% endfor %}", TOO_MUCH_TEXT),
        (('{{ "' + "&" * 200 + '"' + "|urlencode|escape" * 17 + " }}") * 100, TOO_MUCH_TEXT),
        (LOOP + "{% if children %}x{% endif %}" * 400 + "{% endfor %}", TOO_MUCH_TEXT),
        (DOUBLED_NAME, "Variables have no attributes"),
        ("{% with forloop=guest_name %}{{ forloop.encode.hex }}{% endwith %}", "Variables have no attributes"),
        ('{{ number|default:guest_name.encode.hex }}', "Variables have no attributes"),
        (nested("{% if 1 %}", "{% endif %}", depth=400), "nested too deeply"),
        (nested("{% with a=1 %}", "{% endwith %}", depth=21), "nested too deeply"),
        (nested("{% spaceless %}", "{% endspaceless %}", depth=600), "too many variables and tags"),
        ("{% if " + " or ".join(["nights"] * 3_000) + " %}x{% endif %}", "is too long"),
        ("{%" * 1_000, "is too long"),
        ("{{ nights }}" * 1_001, "too many variables and tags"),
        ("{% querystring a=1 %}", "can't use the tag or filter “querystring”"),
        ("{%\tinclude 'x' %}", "can't use the tag or filter “include”"),
        ("{% regroup guest_name by x as y %}", "can't use the tag or filter “regroup”"),
        ("{{ nights|yesno:5 }}", "has no attribute 'split'"),
        ("{{ nights|divisibleby:0 }}", "modulo by zero"),
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
@pytest.mark.parametrize("part", ["subject", "text", "html"])
def test_template_that_exceeds_a_limit_or_cannot_be_rendered_is_refused(
    part: str, source: str, expected: str
) -> None:
    with pytest.raises(InvalidTemplate, match=expected) as raised:
        validate_template(**{"subject": "a", "text": "b", "html": "c", part: source})
    assert raised.value.extra["part"] == part


@pytest.mark.parametrize(
    "source",
    [
        "<p>{{ guest_name }}</p>" * 900 + "x" * 30_000,
        nested("{% if nights %}", "{% endif %}", depth=20),
        "{% for letter in guest_name %}{{ forloop.counter }}{% if not forloop.last %}-{% endif %}{% endfor %}",
        "{% if " + " or ".join(["nights"] * 40) + " %}x{% endif %}",
        LOOP + "{% if children %}x{% endif %}" * 50 + "{% endfor %}",
        "{% with n=nights %}{% firstof room_type n %}{% endwith %}{% comment %}{{ x }}{% endcomment %}",
    ],
)  # fmt: skip
def test_template_within_the_limits_passes_validation(source: str) -> None:
    validate_template(subject="a", text=source, html=source)


@pytest.mark.parametrize("source", [LARGE_LOOP, DOUBLED_NAME])
def test_rendering_stops_before_it_uses_much_memory(source: str) -> None:
    def peak_memory(render: Callable[[], Any]) -> int:
        """Return the highest number of bytes that Python objects use while `render` runs."""
        tracemalloc.start()
        try:
            render()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    def render_in_the_sandbox() -> None:
        with pytest.raises(InvalidTemplate):
            render_source(source, {"guest_name": "Ana Lima"}, is_html=True)

    stock = Engine().from_string(source)
    assert peak_memory(lambda: stock.render(Context({"guest_name": "Ana Lima"}))) > 20_000_000
    assert peak_memory(render_in_the_sandbox) < 5_000_000


def test_rendering_stops_at_the_limit_of_its_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    source = LOOP + "{% if children %}x{% endif %}" * 50 + "{% endfor %}"
    render_source(source, {"children": 0}, is_html=True)
    monkeypatch.setattr(template_limits, "MAX_RENDER_SECONDS", 0.001)
    with pytest.raises(InvalidTemplate, match="takes too long"):
        render_source(source, {"children": 0}, is_html=True)


def test_processor_time_of_other_threads_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def keep_busy() -> None:
        while not done.is_set():
            pass

    busy = threading.Thread(target=keep_busy)
    busy.start()
    monkeypatch.setattr(template_limits, "MAX_RENDER_SECONDS", 0.05)
    try:
        with template_limits.render_budget():
            time.sleep(0.2)
            for _call in range(100):
                template_limits.spend(1)
    finally:
        done.set()
        busy.join()


@pytest.mark.django_db(transaction=True)
def test_stored_template_that_exceeds_a_limit_fails_only_the_reminders_of_its_language(
    book: Book, clock: Clock, smtp: MailServer
) -> None:
    Template.objects.filter(language="es").update(html=LARGE_LOOP)  # without validation
    clock("2030-05-09 12:00")
    book("R1", "2030-05-10", "2030-05-12", language="es")
    book("R2", "2030-05-10", "2030-05-12", language="en")
    batch.send_due([reminder.id for reminder in Reminder.objects.filter(status="scheduled")])
    assert TOO_MUCH_TEXT in Reminder.objects.get(status="failed").error_message
    assert Failure.objects.count() == 1
    assert [mail["X-Envelope-To"] for mail in smtp.accepted] == ["r2@example.com"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "source", [LARGE_LOOP, "{% querystring a=1 %}", nested("{% if 1 %}", "{% endif %}", depth=400)]
)
def test_admin_shows_a_template_that_exceeds_a_limit_as_a_form_error(
    staff: Client, in_hotel: object, source: str
) -> None:
    template = Template.objects.filter(language="en").earliest("id")
    response = staff.post(
        f"/admin/reminders/template/{template.id}/change/",
        {"rule": template.rule_id, "language": "en", "subject": "s", "text": source, "html": "<p>x</p>"},
    )
    assert response.status_code == 200
    assert response.context["adminform"].form.errors["text"]
    template.refresh_from_db()
    assert template.text != source
