"""Functions that add to the current trace, and that continue a trace in the message of a task.

The functions do nothing until `setup.start` has called `enable`. So processes without traces do not import the
libraries.
"""

import contextlib
from collections.abc import Collection, Iterator
from typing import Any

import structlog

from hotelagent.core import logs

#: The fields of log lines that each span has as attributes.
LOG_FIELDS = ("hotel", "request_id")
#: Maximum number of links of a span, which is also the default limit of OpenTelemetry.
MAX_LINKS = 128

_tracer: Any = None


def enable(tracer: Any) -> None:
    """Turn the functions of this module on. `tracer` is an OpenTelemetry tracer."""
    global _tracer  # noqa: PLW0603 - set once per process
    _tracer = tracer
    logs.add_context(trace_log_fields)


def trace_log_fields() -> dict[str, str]:
    """Return the log fields `trace_id` and `span_id` of the current span. Without a span, the dict is empty."""
    from opentelemetry import trace  # noqa: PLC0415 - only processes with traces import OpenTelemetry

    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(context.trace_id),
        "span_id": trace.format_span_id(context.span_id),
    }


def log_field_attributes() -> dict[str, str]:
    """Return the attributes of a span that starts now: the current hotel and the id of the request."""
    fields = {**structlog.contextvars.get_contextvars(), **logs.current_context()}
    return {name: str(fields[name]) for name in LOG_FIELDS if fields.get(name)}


def annotate() -> None:
    """Add the hotel and the request id to the current span. They may not have been known when the span started."""
    if _tracer is None:
        return
    from opentelemetry import trace  # noqa: PLC0415 - as above

    trace.get_current_span().set_attributes(log_field_attributes())


def current_traceparent() -> str | None:
    """Return the current span as a header `traceparent` (W3C Trace Context), or None without a trace."""
    if _tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - as above

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


@contextlib.contextmanager
def dispatch_span(*, kind: str, traceparents: Collection[str], items: int) -> Iterator[None]:
    """Start a span in which a Celery message with due items of this kind is sent.

    If the items come from one trace, the span continues this trace. Otherwise the span starts a new trace, with a link
    to each trace of the items.
    """
    if _tracer is None:
        yield
        return
    from opentelemetry import trace  # noqa: PLC0415 - as above
    from opentelemetry.context import Context  # noqa: PLC0415 - as above
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415 - as above

    origins = [
        TraceContextTextMapPropagator().extract({"traceparent": traceparent}, context=Context())
        for traceparent in sorted(traceparents)[:MAX_LINKS]
    ]
    continues = len(origins) == 1
    with _tracer.start_as_current_span(
        f"dispatch {kind}",
        context=origins[0] if continues else Context(),
        links=[]
        if continues
        else [trace.Link(trace.get_current_span(o).get_span_context()) for o in origins],
        attributes={"due.kind": kind, "due.items": items},
    ):
        yield


@contextlib.contextmanager
def publishing(task: Any, task_id: str) -> Iterator[None]:
    """If the Celery message cannot be sent to the broker, end its span.

    The instrumentation of Celery ends the span only after the message was sent. Without this function, the span of an
    unsent message would remain the current span of the thread, and later requests would belong to its trace.
    """
    try:
        yield
    except BaseException:
        if _tracer is not None:
            _end_unsent_span(task, task_id)
        raise


def _end_unsent_span(task: Any, task_id: str) -> None:
    from opentelemetry.instrumentation.celery import utils  # noqa: PLC0415 - as above
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - as above

    if started := utils.retrieve_context(task, task_id, is_publish=True):
        span, activation, _token = started
        span.set_status(StatusCode.ERROR)
        activation.__exit__(None, None, None)
        utils.detach_context(task, task_id, is_publish=True)
