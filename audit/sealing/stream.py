"""The stream of sealed events for other systems, such as a SIEM (security monitoring).

Events are read in the order of their positions in the log, and no event is ever inserted before a sealed event. So a
client that continues after its last stored position gets each event at least once, in order and without gaps.
"""

import re
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.sealing import logs
from audit.sealing.positions import SealedEvent, read_positions
from tenants.context import current_tenant
from tenants.errors import DomainError

MAX_EVENTS = 1000
_CURSOR = re.compile(r"([0-9a-f]{32})\.(0|[1-9][0-9]{0,17})")


class InvalidTrailCursor(DomainError):
    """The cursor was changed, or belongs to the log of another trail. Start again without a cursor."""

    code = "invalid-trail-cursor"
    status = 422
    title = gettext_lazy("The cursor is not valid for this audit trail")


class EventsDeleted(DomainError):
    """The retention period of these events has ended, so they were deleted. The log still proves the newer events."""

    code = "events-deleted"
    status = 410
    title = gettext_lazy("The events were deleted by retention")


class TrailNotSealed(DomainError):
    """No event of the trail is sealed yet.

    Events are sealed each minute. The response is available after the first sealing.
    """

    code = "trail-not-sealed"
    status = 404
    title = gettext_lazy("No event of this audit trail is sealed yet")


@dataclass(frozen=True, slots=True)
class StreamPage:
    """A page of sealed events in the order of their positions, with the cursor for the next page.

    `deleted` is the number of events that the client can no longer read. These events come after the requested cursor,
    and were deleted when their retention period ended.
    """

    events: list[SealedEvent]
    cursor: str
    has_more: bool
    deleted: int


def read_stream(cursor: str, limit: int) -> StreamPage:
    """Return at most `limit` sealed events of the current tenant's trail that follow the cursor.

    An empty cursor begins with the oldest event that was not deleted. Raises InvalidTrailCursor and TrailNotSealed.
    """
    tenant = current_tenant()
    log = logs.find_log(tenant.id)
    if log is None:
        raise TrailNotSealed
    start = 0
    if cursor:
        match = _CURSOR.fullmatch(cursor)
        if match is None or int(match[2]) > log.size:
            raise InvalidTrailCursor(_("The cursor was changed. Start again without a cursor."))
        if match[1] != log.pk.hex:
            raise InvalidTrailCursor(
                _(
                    "The cursor belongs to the audit trail of another hotel, or to this trail before it was restored. "
                    "Start again without a cursor."
                )
            )
        start = int(match[2])
    deleted = max(log.first_kept - start, 0)
    start += deleted
    end = min(start + limit, log.size)
    events = list(read_positions(log, tenant, start, end))
    return StreamPage(events, f"{log.pk.hex}.{end}", has_more=end < log.size, deleted=deleted)
