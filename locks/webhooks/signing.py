"""Standard Webhooks (standardwebhooks.com): the headers by which the other side knows who speaks, and when.

To verify, in any language: HMAC-SHA256 over `<webhook-id>.<webhook-timestamp>.<body as it came>` with the bytes
that the base64 after `whsec_` stands for; one of the signatures in `webhook-signature` must be `v1,` and the base64
of that. Refuse a timestamp that is more than five minutes off, and an id that was dealt with before.
"""

import base64
import datetime
import hashlib
import hmac

from locks.webhooks.sealing import MARK


def headers(*, message: str, moment: datetime.datetime, body: bytes, secret: str) -> dict[str, str]:
    """`message` stays the same each time it is sent again; `moment` is that of this attempt."""
    timestamp = str(int(moment.timestamp()))
    key = base64.b64decode(secret.removeprefix(MARK))
    digest = hmac.new(key, b".".join((message.encode(), timestamp.encode(), body)), hashlib.sha256).digest()
    return {
        "webhook-id": message,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
