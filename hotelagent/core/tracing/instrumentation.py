"""What is traced: requests and tasks by libraries, database statements and e-mails by hooks of Django."""

import os
import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from opentelemetry import trace
from opentelemetry.instrumentation.celery import CeleryInstrumentor
from opentelemetry.instrumentation.django import DjangoInstrumentor
from opentelemetry.trace import SpanKind

#: The middleware that sets the hotel of a request. The span of a request begins after this middleware, so the span has
#: the hotel. Earlier middleware responds to health probes and to requests for metrics and static files, and this
#: middleware refuses unknown hosts. Such requests have no span.
HOTEL_MIDDLEWARE = "tenants.middleware.HotelMiddleware"
#: Maximum length, in characters, of the SQL text in a span.
MAX_SQL = 2_000

_tracer = trace.get_tracer(__name__)
#: Matches the verb of an SQL statement, and the first table that it changes or reads, or the function that it calls.
_SUMMARY = re.compile(
    r"\s*(?:(UPDATE)\s+\"?([\w.]+)|(\w+)(?:.*?\b(?:FROM|INTO)\s+\"?([\w.]+)|\s+([\w.]+)\()?)",
    re.IGNORECASE | re.DOTALL,
)


def install() -> None:
    """Trace requests, tasks, database statements and e-mails of this process."""
    # Use the stable names of attributes, such as http.route.
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    DjangoInstrumentor().instrument(
        middleware_position=settings.MIDDLEWARE.index(HOTEL_MIDDLEWARE) + 1,
        request_hook=_add_request_id,
        response_hook=_name_after_route,
    )
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]
    connection_created.connect(_trace_connection)
    _trace_mail_backend(import_string(settings.EMAIL_BACKEND))


def _add_request_id(span: Any, request: HttpRequest) -> None:
    span.set_attribute("request_id", getattr(request, "request_id", ""))


def _name_after_route(span: Any, request: HttpRequest, _response: HttpResponse) -> None:
    # The library cannot name the span after the route, because it starts the span before the URL is resolved.
    route = request.resolver_match.route if request.resolver_match else None
    span.update_name(f"{request.method} {route or 'unknown URL'}")


def _trace_connection(*, connection: Any, **_arguments: Any) -> None:
    """Trace the statements of a new connection to the database, with the documented hook of Django."""
    if _trace_statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(_trace_statement)


def _trace_statement(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
    """Execute a statement in a span. The span contains the SQL text with placeholders, but no values of parameters.

    A statement without parameters may contain values, so its span has only a summary, such as "SELECT locks_room".
    """
    if not trace.get_current_span().is_recording():
        return execute(sql, params, many, context)
    text = str(sql)
    attributes = {"db.system.name": "postgresql"}
    if params:
        attributes["db.query.text"] = text[:MAX_SQL]
    with _tracer.start_as_current_span(_summary(text), kind=SpanKind.CLIENT, attributes=attributes):
        return execute(sql, params, many, context)


def _summary(sql: str) -> str:
    """Return the verb of a statement and the first table or function, such as "UPDATE reminders_reminder"."""
    found = _SUMMARY.match(sql)
    return " ".join(filter(None, found.groups())) if found else "statement"


def _trace_mail_backend(backend: Any) -> None:
    """Trace the e-mails that this class of e-mail backends, or a subclass, sends."""
    send_messages = backend.send_messages

    def traced(self: Any, email_messages: Any) -> Any:
        attributes: dict[str, str | int] = {
            "mail.backend": type(self).__name__,
            "mail.messages": len(email_messages or []),
        }
        if host := getattr(self, "host", None):
            attributes |= {"server.address": str(host), "server.port": int(self.port)}
        with _tracer.start_as_current_span(
            "send e-mail", kind=SpanKind.CLIENT, attributes=attributes
        ) as span:
            accepted = send_messages(self, email_messages)
            span.set_attribute("mail.accepted", accepted or 0)
            return accepted

    backend.send_messages = traced
