"""The reader for Excel workbooks (.xlsx). Rows are read one by one, so large workbooks need little memory."""

from __future__ import annotations

import datetime
import gzip
import zipfile
from collections.abc import Iterator
from typing import Any, BinaryIO

from django.utils.translation import gettext_noop as _

from hotelagent.core.messages import TranslatableMessage
from reminders.errors import InvalidFile

#: The maximum size of an unpacked workbook. A small .xlsx file can contain a huge worksheet.
_MAX_UNPACKED = 512 << 20  # bytes
_MIDNIGHT = datetime.time()


def read_rows(stream: BinaryIO | gzip.GzipFile) -> Iterator[tuple[int, list[str]]]:
    """Yield the row number and the cells of each row of the first worksheet. Raises InvalidFile."""
    # Import openpyxl only here, because the import is slow and most processes never read a workbook.
    import openpyxl  # noqa: PLC0415
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415

    try:
        with zipfile.ZipFile(stream) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
        if unpacked > _MAX_UNPACKED:
            raise InvalidFile(TranslatableMessage(_("The workbook is too large. Save the worksheet as CSV.")))
        stream.seek(0)
        workbook = openpyxl.load_workbook(stream, read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, TypeError) as error:
        message = _("The file can't be read as an Excel workbook (.xlsx). Save the worksheet as CSV.")
        raise InvalidFile(TranslatableMessage(message)) from error
    try:
        sheet = workbook.worksheets[0]
        sheet.reset_dimensions()  # some programs write wrong dimensions
        for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
            yield number, [_text(value) for value in row]
    except (KeyError, IndexError, SyntaxError) as error:
        message = _("The workbook is damaged. Open it in Excel and save it again.")
        raise InvalidFile(TranslatableMessage(message)) from error
    finally:
        workbook.close()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime.datetime):
        return value.date().isoformat() if value.time() == _MIDNIGHT else value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
