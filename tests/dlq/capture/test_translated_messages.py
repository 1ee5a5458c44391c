"""Tests of the error messages of failures, which are stored in English and displayed in the user's language."""

import pytest
from django.test import Client
from django.utils import translation
from rest_framework.test import APIClient

from dlq import services
from dlq.error_reports import report_exception
from dlq.models import Failure
from hotelagent.core.messages import TranslatableMessage, message_from_json
from tenants.errors import DomainError
from tenants.models import Hotel

pytestmark = pytest.mark.django_db
ADMIN, API = "/admin/dlq/failure/", "/api/v1/dlq/entries/"
MESSAGES = {
    "en": "There is no hotel 'sol'.",
    "es": "No existe el hotel 'sol'.",
}


def translatable_error() -> DomainError:
    return DomainError(TranslatableMessage("There is no hotel {hotel}.", hotel="'sol'"))


@pytest.fixture
def failure(in_hotel: Hotel) -> Failure:
    """Return a failure with a translatable error, captured while the active language is Spanish."""
    with translation.override("es"):
        captured = services.capture(
            is_task=False, source="pms", name="lamp", payload={}, error=translatable_error()
        )
    return Failure.objects.get(id=captured.id)


def test_error_message_is_displayed_in_the_language_of_the_user(
    failure: Failure, staff: Client, api: APIClient
) -> None:
    for language, text in MESSAGES.items():
        headers = {"Accept-Language": language}
        [summary] = api.get(API, headers=headers).json()["results"]
        detail = api.get(f"{API}{failure.id}/", headers=headers).json()
        assert {
            summary["error_message"],
            detail["error_message"],
            detail["attempts"][0]["error_message"],
        } == {text}
        escaped = text.replace("'", "&#x27;")
        assert escaped in staff.get(ADMIN, headers=headers).content.decode()
        page = staff.get(f"{ADMIN}{failure.id}/change/", headers=headers).content.decode()
        assert page.count(escaped) >= 2  # the page shows the message of the failure and of its attempt


def test_search_and_fingerprint_use_the_english_message(failure: Failure, staff: Client) -> None:
    assert failure.error_message == MESSAGES["en"]
    assert report_exception(translatable_error()).fingerprint(name="lamp") == failure.fingerprint
    assert str(failure.id) in staff.get(ADMIN, {"q": "no hotel"}).content.decode()


def test_personal_data_in_parameters_of_error_messages_is_redacted() -> None:
    inner = TranslatableMessage("ana@guests.example.com is no {mailbox}")
    report = report_exception(
        DomainError(TranslatableMessage("Its window passed. The last answer: {answer}", answer=inner))
    )
    assert "ana@" not in f"{report}"
    assert message_from_json(report.translatable_message) == report.message
    assert "{mailbox}" in report.message


def test_message_of_another_system_is_displayed_unchanged(in_hotel: Hotel) -> None:
    captured = services.capture(
        is_task=False, source="pms", name="lamp", payload={}, error=ValueError("100 % {sure}")
    )
    failure = Failure.objects.get(id=captured.id)
    assert (failure.localized_message, failure.translatable_message) == ("100 % {sure}", None)
