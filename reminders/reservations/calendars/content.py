"""Functions that decode a calendar file and split its text into the lines of each event.

The library `icalendar` stops at the first damaged line between two events. This module splits the file into its events
first, so a damaged line affects only the event that contains the line.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import InvalidFile

MAX_BYTES = 5_000_000
#: The maximum number of events in a linked calendar, and in a calendar that a command imports.
MAX_EVENTS = 5_000
#: The maximum number of events that a request imports, because each event takes about 30 ms.
#: A worker imports uploaded calendars with more than `MAX_EVENTS_IN_REQUEST` events.
MAX_EVENTS_IN_REQUEST = 200
#: The maximum number of events in an uploaded calendar.
MAX_EVENTS_IN_FILE = 20_000

#: A line break within a long line (RFC 5545, section 3.1). The break may separate the bytes of one character.
#: A line that consists only of spaces is not joined to the previous line, because it may be a separate, empty line.
_FOLD = re.compile(rb"(?:\r?\r?\n|\r)[ \t](?=[^\r\n])")
_LINE_BREAK = re.compile(r"\r?\r?\n|\r")
#: Matches the start of a line such as BEGIN:VEVENT or END:VEVENT. If the line is damaged, more text may follow.
_BOUNDARY = re.compile(r"\s*(BEGIN|END)\s*[:;]\s*([A-Z-]*)", re.IGNORECASE)
_METHOD_CANCEL = re.compile(r"\s*METHOD\s*:\s*CANCEL\s*\Z", re.IGNORECASE)
#: Matches properties of an event. If a BEGIN:VEVENT line is damaged, these properties show where the event begins.
_EVENT_LINE = re.compile(r"\s*(UID|DTSTART|DTEND|DURATION|SUMMARY)\s*[:;]", re.IGNORECASE)
#: The iCalendar components that are never inside an event.
#: If a component such as VTODO begins before the END:VEVENT line of an event, that line is damaged or missing.
_TOP_LEVEL = ("VCALENDAR", "VEVENT", "VTIMEZONE", "VTODO", "VJOURNAL", "VFREEBUSY")
#: The pattern matches the names of Python codecs that decode a charset.
#: Python's codecs that are not charsets are refused.
#: Some codecs that are not charsets, such as Punycode, need hours for a large file.
_TEXT_CHARSET = re.compile(r"utf|iso|cp|koi8|mac|big5|gb|euc|shift|johab")
#: Servers often declare these charsets for files in UTF-8. Browsers treat these charsets as Windows-1252.
_LATIN_CHARSETS = frozenset({"ascii", "iso8859-1", "cp1252"})


@dataclass(frozen=True, slots=True)
class EventLines:
    """The unfolded lines of one event. Lines of alarms in the event are omitted, and empty lines are included.

    `is_cancellation` is True if the METHOD of the calendar is CANCEL.
    """

    lines: tuple[str, ...]
    is_cancellation: bool


@dataclass(slots=True)
class CalendarContent:
    """The events and the time zone definitions of a calendar file.

    `is_complete` is False if END:VCALENDAR is missing. In that case, events may be missing too.
    """

    events: list[EventLines] = field(default_factory=list)
    time_zones: list[list[str]] = field(default_factory=list)
    is_complete: bool = False


def decode(content: bytes, *, charset: str = "") -> str:
    """Return the text of a calendar file with long lines joined.

    `charset` is the charset of the HTTP response, or an empty string. Text that is valid UTF-8 is decoded as UTF-8. Any
    other text is decoded with the charset of the response or, if that fails, as Windows-1252. Raises InvalidFile if the
    file is too large.
    """
    if len(content) > MAX_BYTES:
        raise InvalidFile(
            TranslatableMessage(
                _(
                    "The calendar is too large: {size:,} bytes (limit: {limit:,}). "
                    "Use a calendar that covers a shorter period."
                ),
                size=len(content),
                limit=MAX_BYTES,
            )
        )
    unfolded = _FOLD.sub(b"", content)
    for encoding in _encodings(charset):
        try:
            return unfolded.decode(encoding)
        except UnicodeError:
            continue
    return unfolded.decode("latin-1")


def check_number_of_events(content: CalendarContent, *, limit: int) -> None:
    """Raise InvalidFile if the calendar has too many events. The check runs before the events are read."""
    if len(content.events) > limit:
        raise InvalidFile(
            TranslatableMessage(
                _(
                    "The calendar has too many events: {count:,} (limit: {limit:,}). Split it into several files."
                ),
                count=len(content.events),
                limit=limit,
            )
        )


def _encodings(charset: str) -> Iterator[str]:
    try:
        declared = codecs.lookup(charset).name if charset else ""
    except (LookupError, ValueError):
        declared = ""
    if declared not in _LATIN_CHARSETS and _TEXT_CHARSET.match(declared):
        yield declared
    yield "utf-8-sig"
    yield "cp1252"


def read_calendar(content: bytes, *, charset: str = "") -> CalendarContent:
    """Return the events and time zones of a calendar file. Raises InvalidFile. See `decode` and `split_calendar`."""
    return split_calendar(decode(content, charset=charset))


def split_calendar(text: str) -> CalendarContent:
    """Return the events and time zones in the text of a calendar file. Text before the calendar is skipped.

    An event whose first or last line is damaged or missing is included. Raises InvalidFile if the text is not a
    calendar.
    """
    content = _Splitter().split(text)
    if not content.events and not content.is_complete:
        if re.search(r"<(!doctype|html|head|body)\b", text[:20_000], re.IGNORECASE):
            raise InvalidFile(
                TranslatableMessage(
                    _(
                        "The file is a web page and not a calendar. Open the URL in a browser: the channel may require "
                        "a login, or the calendar may have a new URL."
                    )
                )
            )
        if "BEGIN:VCALENDAR" in text.upper():
            raise InvalidFile(TranslatableMessage(_("The calendar is incomplete: END:VCALENDAR is missing.")))
        raise InvalidFile(TranslatableMessage(_("Not an iCalendar file: BEGIN:VCALENDAR is missing.")))
    return content


class _Splitter:
    """A parser that reads a calendar file line by line, and splits the file into its events."""

    def __init__(self) -> None:
        self._content = CalendarContent()
        self._calendars = self._ended_calendars = 0
        self._is_cancellation = False
        self._event: list[str] | None = None
        # The unfinished components inside the current event, such as an alarm, each with the index of its first line.
        self._nested: list[tuple[str, int]] = []
        self._time_zone: list[str] | None = None
        self._loose_lines: list[str] = []  # The lines outside of event and time zone components.

    def split(self, text: str) -> CalendarContent:
        for line in _LINE_BREAK.split(text.lstrip("\ufeff")):
            if boundary := _BOUNDARY.match(line):
                keyword, name = boundary[1].upper(), boundary[2].upper()
                name = next((known for known in _TOP_LEVEL if name.startswith(known)), name)
                (self._begin if keyword == "BEGIN" else self._end)(name, line)
                if name in _TOP_LEVEL:
                    self._loose_lines = []
            else:
                self._add(line.strip())
        if any(self._event or ()):
            self._end_event()
        self._content.is_complete = 0 < self._ended_calendars >= self._calendars
        return self._content

    def _begin(self, name: str, line: str) -> None:
        if name in _TOP_LEVEL:
            if self._event is not None:
                self._end_event()
            self._time_zone = [line] if name == "VTIMEZONE" else None
            if name == "VEVENT":
                # A damaged line that begins with BEGIN:VEVENT is kept, because it may also contain event data.
                self._event = [] if line.strip().upper() == "BEGIN:VEVENT" else [line]
            elif name == "VCALENDAR":
                self._calendars += 1
                self._is_cancellation = False
        elif self._event is not None:
            self._nested.append((name, len(self._event)))
            self._event.append(line)
        elif self._time_zone is not None:
            self._time_zone.append(line)

    def _end(self, name: str, line: str) -> None:
        nested = [
            position for position, (nested_name, _begin) in enumerate(self._nested) if nested_name == name
        ]
        if self._event is not None and nested:
            # Remove a nested component from the event only when the END line of the component is found.
            # A BEGIN line without an END line is a damaged line, so the lines after it belong to the event.
            del self._event[self._nested[nested[-1]][1] :]
            del self._nested[nested[-1] :]
        elif name == "VEVENT" and self._event is None:
            if any(_EVENT_LINE.match(loose) for loose in self._loose_lines):
                self._event = self._loose_lines
                self._end_event()
        elif name in {"VEVENT", "VCALENDAR"}:
            if self._event is not None:
                self._end_event()
            self._ended_calendars += name == "VCALENDAR"
        elif self._event is not None:
            self._event.append(line)
        elif self._time_zone is not None:
            self._time_zone.append(line)
            if name == "VTIMEZONE":
                self._content.time_zones.append(self._time_zone)
                self._time_zone = None

    def _add(self, line: str) -> None:
        if self._event is not None:
            self._event.append(line)
        elif self._time_zone is not None:
            self._time_zone.append(line)
        else:
            # An event may begin with this line if the BEGIN:VEVENT line before it is damaged.
            self._loose_lines.append(line)
            self._is_cancellation |= bool(_METHOD_CANCEL.match(line))

    def _end_event(self) -> None:
        self._content.events.append(EventLines(tuple(self._event or ()), self._is_cancellation))
        self._event, self._nested = None, []
