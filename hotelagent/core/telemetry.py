"""Errors to Sentry and traces to an OpenTelemetry collector, where a deployment names them; guests' data to neither."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from hotelagent.core.redaction import redact, redact_text
from tenants.context import tenant_or_none


def start() -> None:
    """Begin what SENTRY_DSN and OTEL_EXPORTER_OTLP_ENDPOINT ask for; once a process, before it serves."""
    if settings.SENTRY_DSN:
        _report_errors(settings.SENTRY_DSN)
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        _trace(settings.OTEL_EXPORTER_OTLP_ENDPOINT)


def _report_errors(dsn: str) -> None:
    import sentry_sdk  # noqa: PLC0415 - half a second that only who asks for it pays

    try:
        sentry_sdk.utils.Dsn(dsn)
    except sentry_sdk.utils.BadDsn:
        raise ImproperlyConfigured("SENTRY_DSN is none. It looks like https://key@host/1.") from None
    sentry_sdk.init(
        dsn=dsn,
        before_send=_fit_to_leave,
        before_breadcrumb=lambda crumb, _hint: redact(crumb),
        send_default_pii=False,
        include_local_variables=False,  # a frame's variables are guests, tokens and mails
        max_request_body_size="never",
    )


def _fit_to_leave(event: Any, _hint: Any) -> Any:
    tenant = tenant_or_none()
    event.setdefault("tags", {})["hotel"] = tenant.slug if tenant else ""
    return redact(event)


def _trace(endpoint: str) -> None:
    from opentelemetry import trace  # noqa: PLC0415 - as above
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
    DjangoInstrumentor().instrument(request_hook=_name_no_guest)
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]


def _name_no_guest(span: Any, _request: HttpRequest) -> None:
    """An address may hold what somebody searched for."""
    for name, value in dict(span.attributes or {}).items():
        if isinstance(value, str):
            span.set_attribute(name, redact_text(value))
