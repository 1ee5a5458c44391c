"""The JSON parser for request bodies of the REST API."""

import json
import math
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.utils.translation import gettext as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError

#: The maximum depth of nested arrays and objects. No schema of the API needs deeper JSON.
#: JSON with a greater depth could exceed Python's recursion limit in functions that process the JSON.
MAX_DEPTH = 100
#: An error message quotes at most this many characters of a number. The remaining characters are cut off.
_MAX_NUMBER_LENGTH = 40


class JSONParser(parsers.JSONParser):
    """A strict JSON parser, which refuses values that could not be stored exactly or would cause a server error.

    The parser refuses bodies above `DATA_UPLOAD_MAX_MEMORY_SIZE`, deeply nested JSON, objects with two members of the
    same name, and numbers that are too large or too small. It also refuses half of a surrogate pair, such as an emoji
    that the client has cut in two.
    """

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,  # noqa: ARG002 - the signature of REST framework
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = _read(stream)
        encoding = (parser_context or {}).get("encoding", settings.DEFAULT_CHARSET)
        try:
            data = json.loads(
                body.decode(encoding),
                parse_constant=_refuse_constant,
                parse_float=_parse_float,
                object_pairs_hook=_object_with_unique_names,
            )
            json.dumps(data, ensure_ascii=False).encode()
        except RecursionError as error:
            raise _too_deep() from error
        except UnicodeEncodeError as error:
            character = error.object[error.start : error.start + 1].encode("unicode-escape").decode()
            raise ParseError(
                _(
                    "The JSON contains {character}, which is only one half of a surrogate pair. "
                    "Send both halves of the character."
                ).format(character=character)
            ) from error
        except ValueError as error:
            raise ParseError(f"JSON parse error: {error}") from error
        # JSON with few brackets cannot be nested deeply, so the depth of most bodies need not be checked.
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_too_deep(data):
            raise _too_deep()
        return data


def _read(stream: IO[bytes]) -> bytes:
    limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise RequestDataTooBig
    return body


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _parse_float(text: str) -> float:
    number = float(text)
    mantissa = text.lower().partition("e")[0]
    if math.isinf(number) or (number == 0 and mantissa.strip("-0.")):
        raise ParseError(
            _("The number {number} is too large or too small. Send such a number as a string.").format(
                number=text[:_MAX_NUMBER_LENGTH]
            )
        )
    return number


def _object_with_unique_names(members: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(members)
    if len(result) < len(members):
        names = [name for name, _value in members]
        repeated = next(name for name in names if names.count(name) > 1)
        # The repeated name is quoted as JSON, because the name may contain half of a surrogate pair.
        raise ParseError(
            _("A JSON object has several members with the name {name}. Send each name only once.").format(
                name=json.dumps(repeated)
            )
        )
    return result


def _too_deep() -> ParseError:
    return ParseError(
        _("The JSON is nested too deeply. At most {limit} levels are allowed.").format(limit=MAX_DEPTH)
    )


def _is_too_deep(data: Any) -> bool:
    level = [data]
    for _depth in range(MAX_DEPTH + 1):
        containers = [value for value in level if isinstance(value, dict | list)]
        if not containers:
            return False
        level = [
            item
            for container in containers
            for item in (container.values() if isinstance(container, dict) else container)
        ]
    return True
