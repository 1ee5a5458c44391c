"""Tests of the management command dlq_retry, which retries failures of the dead-letter queue."""

import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.selectors import timeline
from dlq.models import Failure
from hotelagent.core.ids import uuid7
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tests.dlq.conftest import Lamp, capture_failure, reload

pytestmark = pytest.mark.django_db


def run_command(capsys: Any, *arguments: str) -> tuple[int, dict[str, Any]]:
    code = 0
    try:
        call_command("dlq_retry", *arguments, "--json")
    except SystemExit as error:
        code = int(str(error.code))
    return code, json.loads(capsys.readouterr().out)


def test_dlq_retry_with_ids_schedules_the_failures_with_these_ids(
    hotel: Hotel, lamp: Lamp, capsys: Any
) -> None:
    with hotel_context(hotel):
        first, second = capture_failure(room="1", retry=False), capture_failure(room="2", retry=False)
    assert run_command(capsys, "--hotel", "alpha", str(first.id)) == (0, {"scheduled": 1, "errors": []})
    with hotel_context(hotel):
        assert (reload(first).status, reload(second).status) == ("scheduled", "permanent")
        assert timeline(kind="failure", identifier=first.id)[0].actor_kind == "command"


def test_dlq_retry_with_a_fingerprint_schedules_all_failures_of_the_group(
    hotel: Hotel, lamp: Lamp, capsys: Any
) -> None:
    with hotel_context(hotel):
        group = [capture_failure(room=str(number), retry=False) for number in range(3)]
        other = capture_failure(message="dark", retry=False)
    assert run_command(capsys, "--hotel", "alpha", "--fingerprint", group[0].fingerprint)[1]["scheduled"] == 3
    with hotel_context(hotel):
        assert reload(other).status == "permanent"


def test_dlq_retry_with_invalid_ids_reports_them_and_schedules_the_others(
    hotel: Hotel, lamp: Lamp, capsys: Any
) -> None:
    with hotel_context(hotel):
        resolved, scheduled = capture_failure(room="1"), capture_failure(room="2")
        Failure.objects.filter(id=resolved.id).update(status="resolved")
    missing = uuid7()
    code, output = run_command(capsys, "--hotel", "alpha", str(resolved.id), str(missing), str(scheduled.id))
    assert (code, output["scheduled"]) == (1, 1)
    assert [error["code"] for error in output["errors"]] == ["failure-state-error", "failure-not-found"]


def test_dlq_retry_with_the_option_platform_schedules_failures_of_the_platform(
    platform: None, lamp: Lamp, capsys: Any
) -> None:
    failure = capture_failure(retry=False)
    assert run_command(capsys, "--platform", str(failure.id))[0] == 0
    with platform_context():
        assert reload(failure).status == "scheduled"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--hotel", "nowhere", "--fingerprint", "0"],
        ["--hotel", "alpha"],
        ["--fingerprint", "0"],
        ["--hotel", "alpha", "--platform", "--fingerprint", "0"],
        ["--hotel", "alpha", "not-an-id"],
    ],
)
def test_dlq_retry_with_invalid_arguments_raises_command_error(hotel: Hotel, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("dlq_retry", *arguments)
