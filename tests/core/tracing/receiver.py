"""A receiver of traces with the protocol OTLP over HTTP. It decodes the requests with the classes of OpenTelemetry."""

import gzip
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.web import QuietHandler


@dataclass(frozen=True)
class ReceivedSpan:
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    linked_trace_ids: list[str]
    is_error: bool
    exception_types: list[str]


class Receiver(ThreadingHTTPServer):
    """Stores the spans of all requests in `spans`, and the bytes of the requests in `raw`."""

    def __init__(self, *, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = status
        self.spans: list[ReceivedSpan] = []
        self.raw = b""
        self.requests = 0

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def named(self, name: str) -> list[ReceivedSpan]:
        return [span for span in self.spans if span.name == name]

    def wait_for(self, condition: "Callable[[list[ReceivedSpan]], Any]", *, timeout: float = 60) -> Any:
        """Wait until the condition is true for the received spans. Return the result of the condition."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if result := condition(list(self.spans)):
                return result
            time.sleep(0.05)
        return pytest.fail(f"Spans are missing. Received: {sorted({span.name for span in self.spans})}")


class Handler(QuietHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert isinstance(self.server, Receiver)
        self.server.requests += 1
        if self.path == "/v1/traces" and self.server.status == 200:
            self.server.raw += body
            self.server.spans += decode(body)
        self.send_head(self.server.status, **{"Content-Length": "0"})


def decode(body: bytes) -> list[ReceivedSpan]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        ReceivedSpan(
            name=span.name,
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            attributes={item.key: _value(item.value) for item in span.attributes},
            linked_trace_ids=[link.trace_id.hex() for link in span.links],
            is_error=span.status.code == span.status.STATUS_CODE_ERROR,
            exception_types=[
                item.value.string_value
                for event in span.events
                for item in event.attributes
                if item.key == "exception.type"
            ],
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
