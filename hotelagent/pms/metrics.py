"""The Prometheus metrics of the calls to property management systems. The metrics have no hotel label."""

from hotelagent.core.metrics import counter, histogram

CALLS = counter(
    "hotelagent_pms_calls_total",
    "Calls to a property management system, by operation and outcome.",
    labels=["operation", "outcome"],
)
CALL_SECONDS = histogram(
    "hotelagent_pms_call_seconds",
    "Duration of a request to a property management system.",
    labels=["operation"],
)
CIRCUIT_OPENED = counter(
    "hotelagent_pms_circuit_opened_total",
    "How often a circuit breaker opened because a property management system failed repeatedly.",
    labels=["operation"],
)
BOOKINGS = counter(
    "hotelagent_pms_bookings_total",
    "Bookings in a property management system, by outcome.",
    labels=["outcome"],
)
AVAILABILITY = counter(
    "hotelagent_pms_availability_total",
    "Answers to searches for availability, by source: fresh, stale, loaded or failed.",
    labels=["source"],
)
