"""What our own errors say is said in the reader's language; found and grouped it is by one text, whoever was at it."""

import pytest
from django.test import Client
from django.utils import translation
from rest_framework.test import APIClient

from dlq import services
from dlq.models import Failure
from dlq.reports import describe
from hotelagent.core.messages import TranslatableMessage, message_from_json
from tenants.errors import DomainError
from tenants.models import Hotel

pytestmark = pytest.mark.django_db
ADMIN, API = "/admin/dlq/failure/", "/api/v1/dlq/"
IN_WORDS = {
    "en": "The mail server can't be reached: [Errno 111]",
    "es": "No se puede contactar con el servidor de correo: [Errno 111]",
}


def away(why: str = "[Errno 111]") -> DomainError:
    return DomainError(TranslatableMessage("The mail server can't be reached: {why}", why=why))


@pytest.fixture
def kept(in_hotel: Hotel) -> Failure:
    """By somebody who reads Spanish."""
    with translation.override("es"):
        return services.capture(kind="message", source="pms", name="lamp", payload={}, error=away())


def test_each_reader_is_told_in_their_own_language(kept: Failure, staff: Client, api: APIClient) -> None:
    for language, text in IN_WORDS.items():
        reader = {"Accept-Language": language}
        [listed] = api.get(API, headers=reader).json()["results"]
        one = api.get(f"{API}{kept.id}/", headers=reader).json()
        assert {listed["error_message"], one["error_message"], one["tries"][0]["error_message"]} == {text}
        escaped = text.replace("'", "&#x27;")
        assert escaped in staff.get(ADMIN, headers=reader).content.decode()
        page = staff.get(f"{ADMIN}{kept.id}/change/", headers=reader).content.decode()
        assert page.count(escaped) >= 2  # the failure's, and its attempt's


def test_it_is_found_and_grouped_by_one_text(kept: Failure, staff: Client) -> None:
    assert kept.error_message == IN_WORDS["en"]
    assert describe(away()).fingerprint(name="lamp") == kept.fingerprint
    assert str(kept.id) in staff.get(ADMIN, {"q": "mail server"}).content.decode()


def test_what_others_said_in_it_is_kept_without_guests_and_secrets() -> None:
    inner = TranslatableMessage("ana@guests.example.com is no {mailbox}")
    report = describe(
        DomainError(TranslatableMessage("Its window passed. The last answer: {answer}", answer=inner))
    )
    assert "ana@" not in f"{report}"
    assert message_from_json(report.sentence) == report.message
    assert "{mailbox}" in report.message


def test_what_others_wrote_is_shown_as_it_is(in_hotel: Hotel) -> None:
    failure = services.capture(
        kind="message", source="pms", name="lamp", payload={}, error=ValueError("100 % {sure}")
    )
    assert (failure.why, failure.error_sentence) == ("100 % {sure}", None)
