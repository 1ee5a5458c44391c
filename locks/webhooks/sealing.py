"""A webhook's secret: made here, shown once, and sealed where it is stored.

It signs each notice, so unlike a password it must be readable; a dump of the database alone does not give it away.
"""

import base64
import secrets
from uuid import UUID

from cryptography.exceptions import InvalidTag
from django.utils.translation import gettext_noop as _

from hotelagent.core import encryption
from hotelagent.core.messages import TranslatableMessage
from locks.webhooks.errors import WebhookDeliveryFailed

#: As Standard Webhooks writes them: this mark, then base64.
MARK = "whsec_"
_BYTES = 32
_PURPOSE = b"webhook secret"


def new_secret() -> str:
    return MARK + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def seal(secret: str, *, webhook: UUID) -> bytes:
    return encryption.encrypt(
        secret.encode(), key=encryption.derive_key(_PURPOSE), associated_data=webhook.bytes
    )


def unseal(sealed: bytes, *, webhook: UUID) -> str:
    """Raises WebhookDeliveryFailed where SECRET_KEY is not the one that it was sealed with."""
    try:
        plain = encryption.decrypt(sealed, key=encryption.derive_key(_PURPOSE), associated_data=webhook.bytes)
    except InvalidTag:
        raise WebhookDeliveryFailed(
            TranslatableMessage(
                _(
                    "The webhook's secret was sealed with another SECRET_KEY. "
                    "Rotate it: the new one is sealed with this."
                )
            )
        ) from None
    return plain.decode()
