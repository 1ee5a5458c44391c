"""Tests of what spans contain, and of processes whose receiver of traces is down or slow."""

import json
import os
import socket
import time
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hotelagent.core.tracing import instrumentation
from hotelagent.core.tracing.exporter import STOP_SECONDS, Exporter, without_personal_data
from hotelagent.settings.environment import env
from tests.core.tracing.receiver import Receiver
from tests.programs import run_python
from tests.web import serving

#: A program that requests missing pages and a health probe, and prints the duration of each request in seconds.
REQUESTS = """
import json, time
import django
django.setup()
from django.test import Client
client = Client(headers={"host": "localhost", "User-Agent": "Ana's phone"}, REMOTE_ADDR="203.0.113.7")
durations = []
for path in ("/missing/?guest=ana@example.com", "/health/live", "/missing/Ana/"):
    started = time.perf_counter()
    client.get(path)
    durations.append(time.perf_counter() - started)
print(json.dumps(durations))
"""
#: A program that tries to send a task while Redis is unavailable, and prints whether a trace is active afterwards.
UNSENT = """
import contextlib, sys
import django
django.setup()
from opentelemetry import trace
from hotelagent.core.tracing import spans
from tenants.context import platform_context
from tenants.tasks import tick
if "without cleanup" in sys.argv:
    spans.publishing = lambda _task, _id: contextlib.nullcontext()
with platform_context():
    assert not tick.try_delay(retry=False)
print("inside" if trace.get_current_span().get_span_context().is_valid else "outside")
"""
#: A program that prints the names of the headers from which requests and messages continue a trace.
CONTINUED_HEADERS = """
import django
django.setup()
from opentelemetry import propagate
print(*sorted(propagate.get_global_textmap().fields))
"""
#: A program that prints the modules and the middleware that are only loaded if traces are on.
OFF = """
import sys
import django
django.setup()
from django.conf import settings
changed = [name for name in sys.modules if name.startswith("hotelagent.core.tracing.setup")]
changed += [name for name in settings.MIDDLEWARE if "opentelemetry" in name]
print(changed)
"""


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "LOG_LEVEL": "WARNING", **variables}


def span_with_guest_data() -> ReadableSpan:
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    attributes = {
        "http.route": "api/",
        "url.query": "name=Ana",
        "client.address": "203.0.113.7",
        "hotel": "alpha",
    }
    with (
        pytest.raises(ValueError, match="Ana"),
        provider.get_tracer("tests").start_as_current_span("GET api/", attributes=attributes),
    ):
        raise ValueError("Key (guest_name)=(Ana) already exists")
    [span] = memory.get_finished_spans()
    return span


def test_exported_span_has_no_url_no_address_and_no_message_of_an_exception() -> None:
    span = span_with_guest_data()
    assert "Ana" in span.to_json()  # the control: the libraries store the exception's message
    exported = json.loads(without_personal_data(span).to_json())
    assert "Ana" not in json.dumps(exported)
    assert "203.0.113.7" not in json.dumps(exported)
    assert exported["attributes"] == {"http.route": "api/", "hotel": "alpha"}
    assert exported["events"][0]["attributes"] == {"exception.type": "ValueError"}
    assert exported["status"]["status_code"] == "ERROR"


def test_process_exports_its_last_spans_without_personal_data_when_it_ends() -> None:
    with serving(Receiver()) as receiver:
        done = run_python(
            "-c", REQUESTS, environment=environment(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint)
        )
        assert done.returncode == 0, done.stderr
        requests = [span for span in receiver.spans if "http.request.method" in span.attributes]
        # The health probe has no span.
        assert [span.attributes["http.response.status_code"] for span in requests] == [404, 404]
        for value in (b"Ana", b"ana@example.com", b"203.0.113.7", b"phone"):
            assert value not in receiver.raw


def test_ratio_of_traces_of_zero_exports_no_spans() -> None:
    with serving(Receiver()) as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint, "OTEL_TRACES_RATIO": "0"}
        assert run_python("-c", REQUESTS, environment=environment(**variables)).returncode == 0
        assert receiver.requests == 0


def test_process_without_endpoint_is_not_traced() -> None:
    done = run_python("-c", OFF, environment=environment(OTEL_EXPORTER_OTLP_ENDPOINT=""))
    assert done.stdout.strip() == "[]", done.stderr
    with serving(Receiver()) as receiver:
        done = run_python("-c", OFF, environment=environment(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.endpoint))
    assert "hotelagent.core.tracing.setup" in done.stdout


@pytest.mark.parametrize(
    ("endpoint", "headers"),
    [("http://127.0.0.1:1", "traceparent tracestate"), ("", "baggage traceparent tracestate")],
)
def test_traces_do_not_pass_the_baggage_of_clients_to_tasks(endpoint: str, headers: str) -> None:
    done = run_python("-c", CONTINUED_HEADERS, environment=environment(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint))
    assert done.stdout.strip() == headers, done.stderr


def test_receiver_that_never_responds_delays_neither_requests_nor_the_end_of_a_process() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        done = run_python("-c", REQUESTS, environment=environment(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint))
        seconds = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    # The timeout of the library is 10 seconds per batch, and its wait at the end of a process 30 seconds.
    assert max(json.loads(done.stdout)) < STOP_SECONDS
    assert seconds < STOP_SECONDS + 6.5


def test_receiver_that_is_down_is_logged_once_until_it_is_up_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.2")
    caplog.set_level("INFO", logger="hotelagent.core.tracing.exporter")
    span = span_with_guest_data()
    with serving(Receiver(status=503)) as receiver:
        exporter = Exporter(f"{receiver.endpoint}/v1/traces", headers={})
        assert [exporter.export([span]) for _attempt in range(3)] == [SpanExportResult.FAILURE] * 3
        receiver.status = 200
        assert exporter.export([span]) is SpanExportResult.SUCCESS
    messages = [record.getMessage() for record in caplog.records if "tracing.exporter" in record.name]
    assert messages == [
        "traces cannot be exported: run `manage.py doctor --only traces`",
        "traces are exported again; 3 spans were lost",
    ]


def test_exporter_opens_a_separate_connection_after_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = Exporter("http://127.0.0.1:1/v1/traces", headers={})
    parents = exporter._exporter_of_this_process()
    assert exporter._exporter_of_this_process() is parents
    monkeypatch.setattr(os, "getpid", lambda: -1)
    assert exporter._exporter_of_this_process() is not parents


@pytest.mark.parametrize(("arguments", "trace"), [((), "outside"), (("without cleanup",), "inside")])
def test_message_that_cannot_be_sent_leaves_no_active_trace_in_the_thread(
    arguments: tuple[str, ...], trace: str
) -> None:
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "REDIS_URL": "redis://127.0.0.1:1/0"}
    done = run_python("-c", UNSENT, *arguments, environment=environment(**variables))
    assert done.stdout.strip() == trace, done.stderr


@pytest.mark.parametrize(
    ("sql", "summary"),
    [
        ('SELECT "locks_room"."id" FROM "locks_room" WHERE id = %s', "SELECT locks_room"),
        ("UPDATE tenants_dueitem SET claims = %s", "UPDATE tenants_dueitem"),
        ("INSERT INTO audit_event (id) VALUES (%s)", "INSERT audit_event"),
        ("SELECT reminders_claim(%s)", "SELECT reminders_claim"),
        ('SAVEPOINT "s1_x1"', "SAVEPOINT"),
        ("", "statement"),
    ],
)
def test_summary_of_a_statement_is_its_verb_and_table(sql: str, summary: str) -> None:
    assert instrumentation._summary(sql) == summary


@pytest.mark.parametrize("value", ["2", "-0.1", "nan", "half"])
def test_ratio_of_traces_outside_of_zero_to_one_is_refused(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_RATIO", value)
    with pytest.raises(ImproperlyConfigured, match=r"Set it to a number from 0 to 1"):
        env.ratio("OTEL_TRACES_RATIO", default=1)


@pytest.mark.parametrize(
    "value", ["collector:4318", "grpc://collector:4317", "http://user:hunter2@collector:4318"]
)
def test_endpoint_that_is_not_a_plain_url_is_refused_without_showing_it(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", value)
    with pytest.raises(ImproperlyConfigured, match="http://collector:4318") as raised:
        env.http("OTEL_EXPORTER_OTLP_ENDPOINT")
    assert "hunter2" not in str(raised.value)


def test_statement_without_parameters_has_no_sql_text(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("tests")
    monkeypatch.setattr(instrumentation, "_tracer", tracer)

    def execute(*_arguments: Any) -> str:
        return "result"

    with tracer.start_as_current_span("request"):
        for sql, params in (("SELECT %s", ["Ana"]), ("COMMENT ON TABLE x IS 'Ana'", None)):
            assert instrumentation._trace_statement(execute, sql, params, False, {}) == "result"
    bound, unbound, _request = memory.get_finished_spans()
    assert dict(bound.attributes or {}) == {"db.system.name": "postgresql", "db.query.text": "SELECT %s"}
    assert dict(unbound.attributes or {}) == {"db.system.name": "postgresql"}
    memory.clear()
    instrumentation._trace_statement(execute, "SELECT 1", None, False, {})  # outside of a trace
    assert memory.get_finished_spans() == ()
