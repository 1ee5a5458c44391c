"""Functions that store the problems of an import, and write a CSV report of these problems.

A problem is a row or a cell that was not imported. Each batch of an import appends JSON lines that are compressed with
gzip (RFC 1952).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.utils.translation import gettext as _

from hotelagent.core.messages import message_from_json, message_to_json
from hotelagent.core.text import without_formula


@dataclass(frozen=True, slots=True)
class Problem:
    """A rejected row or an ignored cell of an imported file.

    `number` is the number of the booking or the room. `column` and `value` are the column's name and the text of the
    cell, or empty if the problem concerns the whole row. `reason` and `detail` are messages in the language of the
    reader. `code` is the problem type of the REST API, or empty for rows that the API does not send.
    """

    line: int
    number: str
    reason: str
    column: str = ""
    value: str = ""
    detail: str = ""
    is_rejected: bool = True
    code: str = ""


def compress(problems: Iterable[Problem]) -> bytes:
    """Return the problems as gzip-compressed lines of JSON, or an empty byte string if there are no problems."""
    lines = [
        json.dumps(
            asdict(problem)
            | {"reason": message_to_json(problem.reason), "detail": message_to_json(problem.detail)}
        )
        for problem in problems
    ]
    return gzip.compress("".join(f"{line}\n" for line in lines).encode()) if lines else b""


def read(stored: bytes | memoryview) -> Iterator[Problem]:
    """Yield the stored problems of a file import, with their messages in the active language."""
    with gzip.open(io.BytesIO(bytes(stored)), "rt", encoding="utf-8") as lines:
        for line in lines:
            problem = json.loads(line)
            messages = {name: message_from_json(problem[name]) for name in ("reason", "detail")}
            yield Problem(**problem | messages)


def report_lines(stored: bytes | memoryview) -> Iterator[str]:
    """Yield the lines of a CSV report that lists all problems of the import, in the active language."""
    yield "\ufeff" + _csv_line(
        [_("Line"), _("Number"), _("Result"), _("Problem"), _("Column"), _("Value"), _("Detail")]
    )
    for problem in read(stored):
        result = _result(problem)
        yield _csv_line(
            [
                problem.line,
                problem.number,
                result,
                problem.reason,
                problem.column,
                problem.value,
                problem.detail,
            ]
        )


def _result(problem: Problem) -> str:
    if problem.is_rejected:
        return _("not imported")
    return _("imported without the value of this cell") if problem.column else _("imported")


def _csv_line(cells: list[Any]) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerow(without_formula(cell) if isinstance(cell, str) else cell for cell in cells)
    return stream.getvalue()
