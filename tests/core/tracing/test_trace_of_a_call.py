"""A REST call, the due queue, a Celery task and an e-mail in one trace, with separate web and worker processes."""

import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

from hotelagent.celery import app
from hotelagent.embedded import processes
from locks import selectors
from tenants.access import api_keys
from tenants.context import hotel_context, platform_context
from tenants.models import Hotel
from tenants.scopes import HOTEL_SCOPES
from tenants.tasks import tick
from tests import servers
from tests.broker import close_broker_connections
from tests.conftest import ALPHA_HOST
from tests.core.tracing.receiver import ReceivedSpan, Receiver
from tests.dlq.workers import wait_for
from tests.gunicorn import running_gunicorn
from tests.logs.http_client import HotelClient
from tests.web import serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

WORKER = (
    *(
        sys.executable,
        "-m",
        "celery",
        "-A",
        "hotelagent",
        "worker",
        "--pool",
        "prefork",
        "--concurrency",
        "1",
    ),
    *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
)
GUEST_NAME, GUEST_ADDRESS = "Zoraida Íñiguez", "zoraida@guests.example"
REQUEST_ID = "request-of-the-trace-test"
CLIENT_TRACE = "0af7651916cd43dd8448eb211c80319c"


@dataclass
class Traced:
    """The spans of the trace of the REST call, all received bytes, and the logs of the processes."""

    spans: list[ReceivedSpan]
    raw: bytes
    logs: dict[str, str]

    def named(self, name: str) -> ReceivedSpan:
        [span] = [span for span in self.spans if span.name == name]
        return span


@contextlib.contextmanager
def running_worker(log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = processes.start(WORKER, output=output, environment=dict(os.environ))
        try:
            yield
        finally:
            processes.stop(process, signal_number=signal.SIGTERM, timeout=30)


def test_rest_call_and_its_reminder_are_one_trace_of_several_processes(
    hotel: Hotel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hotel_context(hotel):
        _key, secret = api_keys.create(name="engine", scopes=HOTEL_SCOPES)
        today = selectors.today()
    with serving(Receiver()) as receiver, servers.mail_server() as mail_server:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint)
        # The spans of the test arrive only because the processes export them when they end.
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "600000")
        monkeypatch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{mail_server.port}")
        with running_gunicorn(tmp_path) as port, running_worker(tmp_path / "worker.log"):
            status, problem = HotelClient(ALPHA_HOST, port).call(
                "PUT", "reservations/by-external-id/T-1/", secret,
                {"arrival": today.isoformat(), "departure": today.replace(year=today.year + 1).isoformat(),
                 "guest_name": GUEST_NAME, "guest_email": GUEST_ADDRESS},
                **{"X-Request-ID": REQUEST_ID, "traceparent": f"00-{CLIENT_TRACE}-b7ad6b7169203331-00"},
            )  # fmt: skip
            assert status == 201, problem
            app.conf.update(broker_url=settings.REDIS_URL)
            close_broker_connections()
            with platform_context():
                tick.delay()
            wait_for(lambda: mail_server.to(GUEST_ADDRESS))
            assert receiver.spans == []
        spans = list(receiver.spans)
        trace = Traced(
            spans=[span for span in spans if span.trace_id == CLIENT_TRACE],
            raw=receiver.raw,
            logs={name: (tmp_path / name).read_text() for name in ("log", "worker.log")},
        )
    check_spans(trace)
    check_absence_of_personal_data(trace, secret)
    check_logs(trace)
    # The dispatcher that claims the items of all hotels has a separate trace.
    [run] = [span for span in spans if span.name == "run/tenants.tasks.tick"]
    assert run.trace_id != CLIENT_TRACE
    assert run.attributes["hotel"] == "-"


def check_spans(trace: Traced) -> None:
    request = next(span for span in trace.spans if span.name.startswith("PUT api/v1/reservations/"))
    dispatch, sent = trace.named("dispatch reminder"), trace.named("apply_async/reminders.tasks.send_due")
    task, mail = trace.named("run/reminders.tasks.send_due"), trace.named("send e-mail")
    by_id = {span.span_id: span for span in trace.spans}
    assert by_id[dispatch.parent_id].trace_id == request.trace_id == CLIENT_TRACE
    assert (sent.parent_id, task.parent_id) == (dispatch.span_id, sent.span_id)
    assert mail.parent_id == task.span_id
    assert request.parent_id == "b7ad6b7169203331"  # the span of the client
    assert request.attributes["http.response.status_code"] == 201
    assert request.attributes["request_id"] == REQUEST_ID
    assert {span.attributes["hotel"] for span in (request, task, mail)} == {"alpha"}
    assert mail.attributes["mail.accepted"] == 1
    statements = [span for span in trace.spans if span.attributes.get("db.system.name") == "postgresql"]
    assert {by_id[span.parent_id].name for span in statements} >= {request.name, task.name, mail.name}
    assert {span.attributes["hotel"] for span in statements} >= {"alpha"}
    assert any("%s" in span.attributes.get("db.query.text", "") for span in statements)
    assert len({span.attributes["process.pid"] for span in (request, dispatch)}) == 2


def check_absence_of_personal_data(trace: Traced, secret: str) -> None:
    for value in (GUEST_NAME, GUEST_NAME.partition(" ")[0], GUEST_ADDRESS, secret, "T-1", "client.address"):
        assert value.encode() not in trace.raw, value
    assert b"reminders_claim" in trace.raw  # the control: the search finds a text that the spans contain


def check_logs(trace: Traced) -> None:
    [line] = [line for line in trace.logs["log"].splitlines() if "request_finished" in line]
    assert CLIENT_TRACE in line
    assert REQUEST_ID in line
    assert re.search(rf"trace_id\W+{CLIENT_TRACE}", line)
