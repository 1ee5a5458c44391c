"""Tests of the decision of deploy/bin/deploy whether a version fails too often."""

import pytest

from deploy import rollout
from deploy.rollout import Requests, Services, StepFailed, Watch

WATCH = Watch(seconds=0.05, max_error_percent=2)


class Site(Services):
    """A deployment whose numbers of requests and health are given in advance, one for each check."""

    def __init__(self, *checks: Requests | None) -> None:
        super().__init__("none")
        object.__setattr__(self, "checks", list(checks))

    def fetch(self, path: str) -> str:
        """Return the numbers of the next check as /metrics does. The check None is one that fails."""
        checks: list[Requests | None] = self.checks  # type: ignore[attr-defined]
        if path == "/health/ready":
            if checks[0] is None:
                if len(checks) > 1:
                    checks.pop(0)
                raise StepFailed("503")
            return ""
        requests = checks.pop(0) if len(checks) > 1 else checks[0]
        assert requests
        name = "hotelagent_request_seconds_count"
        return (
            f'{name}{{view="a",status="500"}} {requests.failed}\n'
            f'{name}{{view="a",status="200"}} {requests.total - requests.failed}\n'
        )


@pytest.fixture(autouse=True)
def _checks_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollout, "INTERVAL", 0.001)


@pytest.mark.parametrize(
    ("total", "failed", "exceeded"),
    [
        (0, 0, False),
        (1, 1, False),
        (4, 4, False),
        (5, 5, True),
        (6, 5, True),
        (249, 5, True),
        (250, 5, False),
        (1000, 20, False),
        (1000, 21, True),
    ],
)
def test_limit_needs_five_failed_requests_and_more_than_the_share(
    total: int, failed: int, exceeded: bool
) -> None:
    assert WATCH.is_exceeded(Requests(total, failed)) is exceeded


def test_watch_ignores_requests_that_failed_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    WATCH.run(Site(Requests(100, 50), Requests(110, 50)))
    assert "0 of 10 requests failed" in capsys.readouterr().out


def test_watch_fails_when_the_limit_is_exceeded() -> None:
    with pytest.raises(StepFailed, match=r"^6 of 10 requests failed with a server error \(limit: 2 %\)"):
        WATCH.run(Site(Requests(100, 0), Requests(110, 6)))


def test_watch_counts_all_requests_of_new_web_processes() -> None:
    with pytest.raises(StepFailed, match=r"^5 of 5 requests failed"):
        WATCH.run(Site(Requests(100, 0), Requests(5, 5)))


def test_watch_continues_after_four_failed_checks_and_fails_after_five() -> None:
    good = Requests(1, 0)
    WATCH.run(Site(good, None, None, None, None, good))
    with pytest.raises(StepFailed, match="not ready"):
        WATCH.run(Site(good, None, None, None, None, None))


def test_watch_whose_time_ends_during_failed_checks_does_not_succeed() -> None:
    with pytest.raises(StepFailed, match="not ready"):
        Watch(seconds=0, max_error_percent=2).run(Site(None))


def test_watch_reads_the_numbers_twice_even_if_its_time_has_ended() -> None:
    with pytest.raises(StepFailed, match=r"^5 of 5 requests failed"):
        Watch(seconds=0, max_error_percent=2).run(Site(Requests(100, 0), Requests(105, 5)))
