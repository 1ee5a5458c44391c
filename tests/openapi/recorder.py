"""A recorder of requests and responses, which become the examples in the OpenAPI documents."""

import datetime
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.test import Client

from hotelagent.rest.documentation.document import operations_by_id

#: The headers that a response may have only if the OpenAPI document declares them.
DOCUMENTED_HEADERS = (
    "ETag", "Location", "Retry-After", "RateLimit", "RateLimit-Policy", "WWW-Authenticate", "Idempotency-Replayed",
    "X-Request-ID", "Deprecation", "Sunset",
)  # fmt: skip
#: The time at which the story in the examples begins.
START = datetime.datetime(2031, 5, 12, 10, 0, tzinfo=datetime.UTC)

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_CURSOR = re.compile(r"(?<=cursor=)[\w%=+/-]+")
#: Values that only their owner may know are replaced, so that no secret scanner takes them for real secrets.
_SECRETS = {"token": "the-token-of-the-hold", "secret": "whsec_dGhlLXNpZ25pbmctc2VjcmV0"}
_RECENT = datetime.timedelta(days=400)


class Recorder:
    """Sends requests by their operation id, checks the responses, and keeps the first request with each status."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.operations = operations_by_id(document)
        self.document = document
        self.examples: dict[str, dict[str, Any]] = {}
        self._began_at = datetime.datetime.now(datetime.UTC)
        self._ids: dict[str, str] = {}
        #: Maps texts to their replacements in the examples, such as the URL of a local server.
        self.replacements: dict[str, str] = {}

    def call(
        self,
        client: Client,
        operation_id: str,
        *,
        status: int,
        path: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        media_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Send the request and return the response, which must have this status and the declared headers."""
        method, url, operation = self.operations[operation_id]
        parameters = {**(path or {}), **(query or {})}
        for name, value in (path or {}).items():
            url = url.replace(f"{{{name}}}", quote(str(value), safe="/" if name == "tile_path" else ""))
        data = body if isinstance(body, str) else json.dumps(body)
        options: dict[str, Any] = {"headers": dict(headers or {})}
        if query:
            options["QUERY_STRING"] = "&".join(
                f"{name}={quote(str(value).lower() if isinstance(value, bool) else str(value))}"
                for name, value in query.items()
            )
        if body is not None:
            options |= {"data": data, "content_type": media_type}
        response = client.generic(method.upper(), url, **options)
        content: bytes = b"".join(response) if response.streaming else response.content
        assert response.status_code == status, f"{operation_id}: {response.status_code} {content!r}"
        self._check_headers(operation_id, operation, response)
        example = self.examples.setdefault(operation_id, {"parameters": parameters, "responses": {}})
        if body is not None:
            example.setdefault("request", {}).setdefault(media_type, body)
        kind = response.get("Content-Type", "").partition(";")[0]
        if content and kind != "application/octet-stream":
            value = json.loads(content) if kind.endswith("json") else content.decode()
            example["responses"].setdefault(str(status), {kind: value})
            return value
        return content

    def recorded(self) -> dict[str, Any]:
        """Return the examples. Ids, times, secrets and hosts are replaced by values that are the same in each run."""
        return {name: self._normalized(example) for name, example in sorted(self.examples.items())}

    def _check_headers(self, operation_id: str, operation: dict[str, Any], response: Any) -> None:
        """Check that the response has the headers that its OpenAPI description requires, and no undeclared headers."""
        declared = operation["responses"].get(str(response.status_code))
        assert declared, (
            f"{operation_id}: add the status {response.status_code} to extend_schema(responses=...)"
        )
        names = set(declared.get("headers", ()))
        required = {name for name in names if self.document["components"]["headers"][name].get("required")}
        sent = {name for name in DOCUMENTED_HEADERS if name in response}
        assert sent <= names, (
            f"{operation_id}: declare {sent - names} (see hotelagent/rest/response_headers.py)"
        )
        assert required <= sent, f"{operation_id}: the response lacks {required - sent}"

    def _normalized(self, value: Any, name: str = "") -> Any:
        if isinstance(value, dict):
            return {key: self._normalized(item, key) for key, item in value.items()}
        if isinstance(value, list):
            return [self._normalized(item) for item in value]
        if not isinstance(value, str):
            return value
        if value and name in _SECRETS:
            return _SECRETS[name]
        for old, new in self.replacements.items():
            value = value.replace(old, new)
        value = _UUID.sub(lambda match: self._id(match.group()), value)
        value = _TIME.sub(lambda match: self._shifted_time(match.group()), value)
        value = _CURSOR.sub("cD0wMTk4YjdkMg%3D%3D", value)
        return self._shifted_date(value) if _DATE.fullmatch(value) else value

    def _id(self, text: str) -> str:
        return self._ids.setdefault(text, f"0198b7d2-6c1e-7000-8000-{len(self._ids) + 1:012x}")

    def _shifted_time(self, text: str) -> str:
        time = datetime.datetime.fromisoformat(text)
        if abs(time - self._began_at) > _RECENT:
            return text
        shifted = START + datetime.timedelta(seconds=round((time - self._began_at).total_seconds()))
        return shifted.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _shifted_date(self, text: str) -> str:
        date = datetime.date.fromisoformat(text)
        if abs(date - self._began_at.date()) > _RECENT:
            return text
        return (START.date() + (date - self._began_at.date())).isoformat()
