"""Error reports to Sentry and traces to an OpenTelemetry collector. Neither contains personal data.

Error reports are sent if the setting SENTRY_DSN is set, and traces if OTEL_EXPORTER_OTLP_ENDPOINT is set.
"""

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from hotelagent.core import logs
from hotelagent.core.redaction import redact, redact_text


def start() -> None:
    """Start error reports and traces if the settings enable them. Call this function once per process."""
    if settings.SENTRY_DSN:
        _start_error_reports(settings.SENTRY_DSN)
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        _start_traces(settings.OTEL_EXPORTER_OTLP_ENDPOINT)


def _start_error_reports(dsn: str) -> None:
    import sentry_sdk  # noqa: PLC0415 - takes half a second, and most commands run without it

    try:
        sentry_sdk.utils.Dsn(dsn)
    except sentry_sdk.utils.BadDsn:
        raise ImproperlyConfigured("SENTRY_DSN is not a valid DSN. Example: https://key@host/1.") from None
    sentry_sdk.init(
        dsn=dsn,
        before_send=_prepare_error_report,
        before_breadcrumb=lambda breadcrumb, _hint: redact(breadcrumb),
        send_default_pii=False,
        # Error reports omit local variables, because the variables may contain guests' data and API keys.
        include_local_variables=False,
        max_request_body_size="never",
    )


def _prepare_error_report(event: Any, _hint: Any) -> Any:
    event.setdefault("tags", {}).update(logs.current_context())
    return redact(event)


def _start_traces(endpoint: str) -> None:
    # The libraries for traces are imported here, because the imports are slow and most commands run without traces.
    from opentelemetry import trace  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.instrumentation.celery import CeleryInstrumentor  # noqa: PLC0415
    from opentelemetry.instrumentation.django import DjangoInstrumentor  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource.create({"service.name": "hotelagent"}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(request_hook=_redact_span)
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]


def _redact_span(span: Any, _request: HttpRequest) -> None:
    """Remove personal data from the attributes of a request's span (the trace of the request), such as the URL."""
    for name, value in dict(span.attributes or {}).items():
        if isinstance(value, str):
            span.set_attribute(name, redact_text(value))
