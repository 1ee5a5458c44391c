"""The start of traces: what is traced, what is sampled, and when the spans of a process are exported."""

import logging
import os
from typing import Any

from celery.signals import worker_process_shutdown
from django.conf import settings
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.re import parse_env_headers

from hotelagent.core.tracing import instrumentation, spans
from hotelagent.core.tracing.exporter import Exporter, Processor


class AttributesProcessor(SpanProcessor):
    """Adds the current hotel, the request id and the process id to each span that starts."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the library's signature
        if span.is_recording():
            span.set_attributes({**spans.log_field_attributes(), "process.pid": os.getpid()})


def start(endpoint: str, *, ratio: float) -> None:
    """Trace requests, database statements, tasks and e-mails, and export `ratio` (0 to 1) of the traces to `endpoint`.

    The sampler compares the id of a trace with the ratio. So all processes make the same decision for a trace, and a
    client that sends the header `traceparent` cannot turn the recording on or off.
    """
    # The exporter of this package logs failures, because the library would log each attempt.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
    provider = TracerProvider(
        sampler=TraceIdRatioBased(ratio),
        resource=Resource.create(
            {"service.name": "hotelagent", "service.version": settings.CODE_VERSION or settings.VERSION}
        ),
    )
    # Only the headers of W3C Trace Context are read. The header `baggage` is ignored, because a client could send
    # anything.
    propagate.set_global_textmap(TraceContextTextMapPropagator())
    provider.add_span_processor(AttributesProcessor())
    provider.add_span_processor(Processor(Exporter(traces_url(endpoint), headers=request_headers())))
    trace.set_tracer_provider(provider)
    spans.enable(trace.get_tracer("hotelagent"))
    instrumentation.install()

    # The provider exports the last spans when Python ends. The processes of a prefork pool end without this step.
    def export_last_spans(**_arguments: Any) -> None:
        provider.shutdown()

    worker_process_shutdown.connect(export_last_spans, weak=False)


def traces_url(endpoint: str) -> str:
    """Return the URL that receives traces. The endpoint is the base URL of an OTLP receiver."""
    return f"{endpoint.rstrip('/')}/v1/traces"


def request_headers() -> dict[str, str]:
    """Return the HTTP headers of requests to the receiver, such as its API key."""
    return dict(parse_env_headers(settings.OTEL_EXPORTER_OTLP_HEADERS, liberal=True))
