"""The signing secrets of webhooks and the signatures of Standard Webhooks (standardwebhooks.com).

A secret is stored encrypted with a key derived from SECRET_KEY, so a copy of the database alone does not reveal it.
"""

import base64
import datetime
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from uuid import UUID

from cryptography.exceptions import InvalidTag
from django.utils.translation import gettext_noop as _

from hotelagent.core import encryption
from hotelagent.core.messages import TranslatableMessage
from locks.webhooks.errors import WebhookDeliveryFailed

#: A secret in the format of Standard Webhooks consists of this prefix and the base64 encoding of the secret's bytes.
SECRET_PREFIX = "whsec_"  # noqa: S105
_SECRET_BYTES = 32
_KEY_PURPOSE = b"webhook secret"


def generate_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def encrypt_secret(secret: str, *, webhook_id: UUID) -> bytes:
    return encryption.encrypt(
        secret.encode(), key=encryption.derive_key(_KEY_PURPOSE), associated_data=webhook_id.bytes
    )


def decrypt_secret(encrypted: bytes, *, webhook_id: UUID) -> str:
    """Return the decrypted secret. Raises WebhookDeliveryFailed if the secret was encrypted with another SECRET_KEY."""
    try:
        secret = encryption.decrypt(
            encrypted, key=encryption.derive_key(_KEY_PURPOSE), associated_data=webhook_id.bytes
        )
    except InvalidTag:
        raise WebhookDeliveryFailed(
            TranslatableMessage(
                _(
                    "The webhook's signing secret can't be decrypted because SECRET_KEY has changed. "
                    "Rotate the secret."
                )
            )
        ) from None
    return secret.decode()


def signature_headers(
    *, message_id: str, sent_at: datetime.datetime, body: bytes, secrets: Sequence[str]
) -> dict[str, str]:
    """Return the headers that a receiver needs to verify a request, with one signature per secret.

    `message_id` is the same for all attempts of a delivery. `sent_at` is the time of this attempt.
    """
    timestamp = str(int(sent_at.timestamp()))
    signed_content = b".".join((message_id.encode(), timestamp.encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(signed_content, secret) for secret in secrets),
    }


def _signature(signed_content: bytes, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, signed_content, hashlib.sha256)).decode()
