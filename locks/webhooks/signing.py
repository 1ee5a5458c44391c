"""Standard Webhooks (standardwebhooks.com): the headers by which the other side knows who speaks, and when.

To verify, in any language: HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body as it came>` with the bytes
that the base64 after `whsec_` stands for; one of the signatures in `webhook-signature`, which a space parts, must be
`v1,` and the base64 of that. While a secret is rotated there are two, the new one's first. Refuse a timestamp that is
more than five minutes off, and an id that was dealt with before.
"""

import base64
import datetime
import hashlib
import hmac
from collections.abc import Sequence

from locks.webhooks.sealing import MARK


def headers(
    *, message: str, moment: datetime.datetime, body: bytes, secrets: Sequence[str]
) -> dict[str, str]:
    """`message` stays the same each time it is sent again; `moment` is that of this attempt."""
    timestamp = str(int(moment.timestamp()))
    signed = b".".join((message.encode(), timestamp.encode(), body))
    return {
        "webhook-id": message,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(signed, secret) for secret in secrets),
    }


def _signature(signed: bytes, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(MARK))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
