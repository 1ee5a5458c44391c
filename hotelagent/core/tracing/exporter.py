"""The exporter of spans. It removes everything that is not known to be harmless, and works after a fork.

Instrumentation libraries add attributes such as URLs, client addresses, and the messages of exceptions. These may
contain guests' data. So a span keeps only the attributes in `ATTRIBUTES`, and of an exception only its type.
"""

import logging
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Status

from hotelagent.core.redaction import redact_text

logger = logging.getLogger(__name__)

#: The attributes of spans that are exported.
ATTRIBUTES = frozenset(
    {
        "hotel", "request_id", "process.pid", "exception.type",
        "http.request.method", "http.route", "http.response.status_code",
        "celery.action", "celery.hostname", "celery.retries", "celery.state", "celery.task_name",
        "messaging.destination", "messaging.message.id",
        "db.system.name", "db.query.text", "due.kind", "due.items",
        "server.address", "server.port", "mail.backend", "mail.messages", "mail.accepted",
    }
)  # fmt: skip
#: If the receiver of traces is down, a process logs the failure at most once in this number of seconds.
LOG_INTERVAL = 300.0
#: The maximum number of seconds that a process waits at its end for the export of its last spans.
STOP_SECONDS = 3.0


def harmless(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the attributes that are in ATTRIBUTES. Texts that look like personal data or secrets are replaced."""
    return {
        name: redact_text(value) if isinstance(value, str) else value
        for name, value in (attributes or {}).items()
        if name in ATTRIBUTES
    }


def without_personal_data(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=redact_text(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=harmless(span.attributes),
        events=[Event(event.name, harmless(event.attributes), event.timestamp) for event in span.events],
        links=span.links,
        kind=span.kind,
        # The description of a span's status is the message of an exception, so it is not exported.
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


class Exporter(SpanExporter):
    """Sends spans to the receiver with the protocol OTLP over HTTP. A failure is logged and never raised.

    A forked process opens separate connections, because two processes cannot share a connection to the receiver.
    """

    def __init__(self, url: str, *, headers: Mapping[str, str]) -> None:
        self._url, self._headers = url, headers
        self._pid = 0
        self._exporter: OTLPSpanExporter | None = None
        self._last_warning = -LOG_INTERVAL
        self._failed = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter_of_this_process().export([without_personal_data(span) for span in spans])
        if result is SpanExportResult.SUCCESS:
            if self._failed:
                logger.info("traces are exported again; %s spans were lost", self._failed)
            self._failed, self._last_warning = 0, -LOG_INTERVAL
            return result
        self._failed += len(spans)
        if time.monotonic() - self._last_warning > LOG_INTERVAL:
            self._last_warning = time.monotonic()
            logger.warning("traces cannot be exported: run `manage.py doctor --only traces`")
        return result

    def _exporter_of_this_process(self) -> OTLPSpanExporter:
        if self._exporter is None or self._pid != os.getpid():
            self._exporter = OTLPSpanExporter(endpoint=self._url, headers=self._headers)
            self._pid = os.getpid()
        return self._exporter

    def shutdown(self) -> None:
        if self._exporter is not None and self._pid == os.getpid():
            self._exporter.shutdown()  # type: ignore[no-untyped-call]


class Processor(BatchSpanProcessor):
    """Exports ended spans in batches, in a thread. If the queue is full, spans are dropped."""

    def shutdown(self) -> None:
        """Export the remaining spans. Wait for STOP_SECONDS at most, instead of the 30 seconds of the base class."""
        self._batch_processor.shutdown(timeout_millis=int(STOP_SECONDS * 1000))
