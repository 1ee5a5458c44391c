"""The examples of requests and responses in the OpenAPI documents, which tests have recorded from a running hotel."""

import json
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "examples.json"
#: The name of the recorded example. A request or response can have further examples with other names.
_NAME = "Example"


@cache
def recorded_examples() -> dict[str, Any]:
    """Return the parameters, the request and the responses of each operation id."""
    examples: dict[str, Any] = json.loads(FILE.read_text()) if FILE.is_file() else {}
    return examples


def add_examples(operation: dict[str, Any]) -> None:
    """Add the recorded request and responses to an operation of an OpenAPI document."""
    example = recorded_examples().get(operation.get("operationId", ""))
    if example is None:
        return
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in example["parameters"]:
            value = example["parameters"][parameter["name"]]
            parameter["example"] = [value] if parameter["schema"].get("type") == "array" else value
    _add(operation.get("requestBody", {}), example.get("request", {}))
    for status, bodies in example["responses"].items():
        _add(operation["responses"].get(status, {}), bodies)


def _add(described: dict[str, Any], bodies: dict[str, Any]) -> None:
    for media_type, value in bodies.items():
        if content := described.get("content", {}).get(media_type):
            content["examples"] = {_NAME: {"value": value}, **content.get("examples", {})}
