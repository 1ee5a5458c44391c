"""The examination of the receiver of traces."""

from collections.abc import Iterator

from django.conf import settings

from hotelagent.monitoring.doctor.findings import Finding, ok, problem

_TIMEOUT_SECONDS = 5


def examine_traces() -> Iterator[Finding]:
    """Send a request without spans to the receiver of traces."""
    endpoint = settings.OTEL_EXPORTER_OTLP_ENDPOINT
    if not endpoint:
        yield ok("traces", "Traces are off, because OTEL_EXPORTER_OTLP_ENDPOINT is not set.")
        return
    import requests  # noqa: PLC0415 - only deployments with traces need the libraries

    from hotelagent.core.tracing.setup import request_headers, traces_url  # noqa: PLC0415

    url = traces_url(endpoint)
    try:
        response = requests.post(
            url,
            headers={**request_headers(), "Content-Type": "application/x-protobuf"},
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        yield problem(
            "traces",
            f"{url} does not respond: {type(error).__name__}.",
            "Check OTEL_EXPORTER_OTLP_ENDPOINT, and that the receiver accepts OTLP over HTTP, usually on port 4318.",
        )
        return
    if response.ok:
        share = f"{settings.OTEL_TRACES_RATIO:.0%}"
        yield ok("traces", f"{url} accepts traces. {share} of the traces are recorded.")
    else:
        yield problem(
            "traces",
            f"{url} responded with the status {response.status_code}.",
            "Check OTEL_EXPORTER_OTLP_ENDPOINT, and the login in OTEL_EXPORTER_OTLP_HEADERS.",
        )
