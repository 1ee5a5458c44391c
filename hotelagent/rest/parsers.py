"""The JSON parser for request bodies of the REST API."""

import json
from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework import parsers
from rest_framework.exceptions import ParseError


class JSONParser(parsers.JSONParser):
    """REST framework's JSON parser, except that some invalid JSON causes a client error (400), not a server error.

    Such JSON is deeply nested, or contains half of a surrogate pair, such as an emoji that the client has cut in two.
    The fields of serializers already reject half of a surrogate pair in a value. The name of an unknown member would be
    part of the error response, and the error response could not be encoded.
    """

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
            json.dumps(data, ensure_ascii=False).encode()
        except RecursionError as error:
            raise ParseError(_("The JSON is nested too deeply.")) from error
        except UnicodeEncodeError as error:
            character = error.object[error.start : error.start + 1].encode("unicode-escape").decode()
            raise ParseError(
                _(
                    "The JSON contains {character}, which is half of a character. "
                    "Do not cut texts inside a character."
                ).format(character=character)
            ) from error
        return data
