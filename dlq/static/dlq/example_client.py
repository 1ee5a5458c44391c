"""An example client of the dead-letter queue. The client reports failed messages, and processes them again.

Set HOTELAGENT_URL to the URL of the hotel, and HOTELAGENT_KEY to an API key with the scopes dlq:write and dlq:work:

    python example_client.py report '{"booking": "B-1042", "nights": 3}'
    python example_client.py work [--idempotent]
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

ENTRIES = os.environ["HOTELAGENT_URL"] + "/api/v1/dlq/entries/"
KIND, LEASE = "com.example.booking", {"lease_seconds": 60}


def post(path: str, body: Any, media_type: str = "application/json") -> tuple[Any, float]:
    """Send a POST request. Return the body of the response, and the number of seconds in its header Retry-After."""
    headers = {"Authorization": f"Bearer {os.environ['HOTELAGENT_KEY']}", "Content-Type": media_type}
    # The loop repeats the request with the same idempotency key, so the server processes the request once.
    headers["Idempotency-Key"] = str(uuid.uuid4())
    request = urllib.request.Request(ENTRIES + path, json.dumps(body).encode(), headers)
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response), float(response.headers.get("Retry-After", 0))
        except urllib.error.HTTPError as error:
            if error.code not in {429, 503}:
                raise
            time.sleep(float(error.headers.get("Retry-After", 5)))


def do_work(data: dict[str, Any], key: str) -> Iterator[None]:
    """Process the message in steps. Replace this function.

    Pass `key` as idempotency key to other systems, so that they recognize a repeated request.
    """
    for night in range(data["nights"]):
        print(f"Night {night + 1} of {data['booking']} ({key})", flush=True)
        time.sleep(1)
        yield


def process(entry: dict[str, Any]) -> None:
    path, token = f"{entry['id']}/", {"fencing_token": entry["fencing_token"]}
    try:
        for _step in do_work(entry["payload"]["data"], entry["idempotency_key"]):
            post(f"{path}extend/", {**token, **LEASE})
        post(f"{path}acknowledge/", token)
    except urllib.error.HTTPError as error:  # With status 409, another handler may be processing the failure.
        print(f"Stopped: {error.read().decode()}", flush=True)
    except Exception as error:
        result = {"error_type": type(error).__name__, "error_message": str(error)}
        is_fixable = not isinstance(error, KeyError)  # A retry cannot add a missing key to the payload.
        post(f"{path}fail/", {**token, **result, "retry": is_fixable})


if sys.argv[1] == "report":
    event = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/example", "type": KIND}
    event |= {
        "data": json.loads(sys.argv[2]),
        "errortype": "Timeout",
        "errormessage": "The PMS did not respond.",
    }
    print(post("", event, "application/cloudevents+json")[0]["id"])
while sys.argv[1] == "work":
    claimed, seconds = post("claim/", {"kinds": [KIND], "idempotent": "--idempotent" in sys.argv, **LEASE})
    for claimed_entry in claimed["entries"]:
        process(claimed_entry)
    time.sleep(seconds)
