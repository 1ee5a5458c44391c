"""Tests of the management command dlq_retry, which retries failures of the dead-letter queue."""

import json
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command

from audit.reading.search import timeline
from dlq import tasks
from dlq.models import Failure
from dlq.redrives import progress
from dlq.redrives.models import Redrive
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


def test_dlq_retry_with_a_filter_starts_a_redrive_of_all_matching_failures(
    hotel: Hotel, lamp: Lamp, capsys: Any
) -> None:
    with hotel_context(hotel):
        group = [capture_failure(room=str(number), retry=False) for number in range(3)]
        other = capture_failure(message="dark", room="9", retry=False)
    arguments = ["--hotel", "alpha", "--fingerprint", group[0].fingerprint, "--rate", "600"]
    code, preview = run_command(capsys, *arguments, "--dry-run")
    assert (code, preview["matched"], preview["accepted"], preview["refused"]) == (0, 3, 3, {})
    code, redrive = run_command(capsys, *arguments)
    assert (code, redrive["matched"], redrive["rate"]) == (0, 3, 600)
    with hotel_context(hotel):
        progress.advance(redrive_id=UUID(redrive["id"]))
        assert [reload(failure).status for failure in (group[0], other)] == ["scheduled", "permanent"]


def test_dlq_retry_with_the_option_wait_returns_when_the_redrive_has_ended(
    hotel: Hotel, lamp: Lamp, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hotel_context(hotel):
        capture_failure(room="1", retry=False)
        lamp.fail()

    def work(_seconds: float) -> None:
        for redrive in Redrive.objects.all():
            progress.advance(redrive_id=redrive.id)
            tasks.retry_due([str(failure.id) for failure in Failure.objects.filter(status="scheduled")])
            progress.advance(redrive_id=redrive.id)

    monkeypatch.setattr("dlq.management.commands.dlq_retry.time.sleep", work)
    code, redrive = run_command(capsys, "--hotel", "alpha", "--all", "--wait")
    assert (code, redrive["status"], redrive["failed"]) == (1, "finished", 1)


def test_dlq_retry_reports_invalid_ids_and_schedules_the_valid_ids(
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
        ["--hotel", "alpha", "--all", "0198c0de-0000-7000-8000-000000000000"],
        ["--hotel", "alpha", "--all", "--rate", "0"],
        ["--hotel", "alpha", "--since", "soon"],
        ["--hotel", "alpha", "--since", "2030-05-02T00:00", "--until", "2030-05-01T00:00"],
    ],
)
def test_dlq_retry_with_invalid_arguments_raises_command_error(hotel: Hotel, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("dlq_retry", *arguments)
