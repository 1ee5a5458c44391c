"""Tests of traces in the due queue: the processing of an item continues the trace in which the item was scheduled."""

import datetime
import uuid

import pytest
from django.utils import timezone
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from hotelagent.core.tracing import spans
from tenants.context import platform_context
from tenants.models import DueItem, Hotel
from tenants.queue import dispatch, due

pytestmark = pytest.mark.django_db


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Turn tracing on, and return an exporter that stores the spans in memory."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_tracer", provider.get_tracer("tests"))
    return exporter


def schedule_in_new_trace(*, after: datetime.timedelta = datetime.timedelta()) -> str:
    """Schedule an invitation in the span of a new trace. Return the id of the trace."""
    with spans._tracer.start_as_current_span("request") as span:
        due.schedule(kind="invitation", items=[(uuid.uuid4(), timezone.now() + after)])
        return trace.format_trace_id(span.get_span_context().trace_id)


def dispatch_spans(exporter: InMemorySpanExporter) -> list[tuple[str, list[str]]]:
    """Claim all items, and start the span of each message. Return the trace and the linked traces of each span."""
    exporter.clear()
    with platform_context():
        batches = [batch for batch in dispatch.claim() if batch.kind.name == "invitation"]
    for batch in batches:
        with spans.dispatch_span(kind=batch.kind.name, traceparents=batch.traceparents, items=len(batch.ids)):
            pass
    return [
        (
            trace.format_trace_id(span.context.trace_id),
            sorted(trace.format_trace_id(link.context.trace_id) for link in span.links),
        )
        for span in exporter.get_finished_spans()
    ]


def test_message_with_items_of_one_trace_continues_the_trace(
    in_hotel: Hotel, exporter: InMemorySpanExporter
) -> None:
    origin = schedule_in_new_trace()
    assert dispatch_spans(exporter) == [(origin, [])]


def test_message_with_items_of_several_traces_has_a_new_trace_with_links(
    in_hotel: Hotel, exporter: InMemorySpanExporter
) -> None:
    origins = sorted(schedule_in_new_trace() for _request in range(3))
    [(new, links)] = dispatch_spans(exporter)
    assert links == origins
    assert new not in origins


def test_item_that_is_due_much_later_does_not_continue_the_trace(
    in_hotel: Hotel, exporter: InMemorySpanExporter
) -> None:
    schedule_in_new_trace(after=due.TRACE_DURATION - datetime.timedelta(minutes=1))
    schedule_in_new_trace(after=due.TRACE_DURATION + datetime.timedelta(minutes=1))
    with platform_context():
        stored = (
            DueItem.objects.filter(kind="invitation").order_by("due_at").values_list("traceparent", flat=True)
        )
        soon, later = stored
    assert soon is not None
    assert later is None


def test_item_without_a_trace_starts_a_new_trace(in_hotel: Hotel, exporter: InMemorySpanExporter) -> None:
    due.schedule(kind="invitation", items=[(uuid.uuid4(), timezone.now())])
    with spans._tracer.start_as_current_span("tick of the dispatcher") as tick:
        [(new, links)] = dispatch_spans(exporter)
    assert links == []
    assert new != trace.format_trace_id(tick.get_span_context().trace_id)


def test_item_that_is_scheduled_again_belongs_to_the_newest_trace(
    in_hotel: Hotel, exporter: InMemorySpanExporter
) -> None:
    item = uuid.uuid4()
    with spans._tracer.start_as_current_span("first request"):
        due.schedule(kind="invitation", items=[(item, timezone.now())])
    with spans._tracer.start_as_current_span("second request") as second:
        due.schedule(kind="invitation", items=[(item, timezone.now())])
    assert dispatch_spans(exporter) == [(trace.format_trace_id(second.get_span_context().trace_id), [])]


def test_items_are_stored_without_a_trace_while_traces_are_off(in_hotel: Hotel) -> None:
    due.schedule(kind="invitation", items=[(uuid.uuid4(), timezone.now())])
    with platform_context():
        assert DueItem.objects.get(kind="invitation").traceparent is None
