import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from audit.selectors import timeline
from dlq.models import Failure
from hotelagent.core.ids import uuid7
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tests.dlq.conftest import Lamp, captured, reread

pytestmark = pytest.mark.django_db


def _run(capsys: Any, *arguments: str) -> tuple[int, dict[str, Any]]:
    code = 0
    try:
        call_command("dlq_retry", *arguments, "--json")
    except SystemExit as ended:
        code = int(str(ended.code))
    return code, json.loads(capsys.readouterr().out)


def test_it_plans_those_that_are_named(hotel: Hotel, lamp: Lamp, capsys: Any) -> None:
    with hotel_context(hotel):
        first, second = captured(room="1", retry=False), captured(room="2", retry=False)
    assert _run(capsys, "--hotel", "alpha", str(first.id)) == (0, {"planned": 1, "refused": []})
    with hotel_context(hotel):
        assert (reread(first).status, reread(second).status) == ("scheduled", "permanent")
        assert timeline(kind="failure", identifier=first.id)[0].actor_kind == "command"


def test_it_plans_a_whole_group(hotel: Hotel, lamp: Lamp, capsys: Any) -> None:
    with hotel_context(hotel):
        group = [captured(room=str(number), retry=False) for number in range(3)]
        other = captured(text="dark", retry=False)
    assert _run(capsys, "--hotel", "alpha", "--fingerprint", group[0].fingerprint)[1]["planned"] == 3
    with hotel_context(hotel):
        assert reread(other).status == "permanent"


def test_what_is_refused_is_told_and_counted_and_the_rest_goes_on(
    hotel: Hotel, lamp: Lamp, capsys: Any
) -> None:
    with hotel_context(hotel):
        done, waiting = captured(room="1"), captured(room="2")
        Failure.objects.filter(id=done.id).update(status="resolved")
    missing = uuid7()
    code, told = _run(capsys, "--hotel", "alpha", str(done.id), str(missing), str(waiting.id))
    assert (code, told["planned"]) == (1, 1)
    assert [refusal["code"] for refusal in told["refused"]] == ["failure-state-error", "failure-not-found"]


def test_it_works_for_the_platform(platform: None, lamp: Lamp, capsys: Any) -> None:
    failure = captured(retry=False)
    assert _run(capsys, "--platform", str(failure.id))[0] == 0
    with platform_context():
        assert reread(failure).status == "scheduled"


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
def test_wrong_usage_says_so(hotel: Hotel, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("dlq_retry", *arguments)
