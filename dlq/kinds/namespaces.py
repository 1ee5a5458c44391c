"""The names of failures that other systems report.

The name of an API key is a namespace: a key reports, claims and ends only failures of its namespace. Keys
with the same name share a namespace, for example the key of a reporting system and the key of its handler.
"""

import hashlib

from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from dlq.kinds.registry import Kind
from dlq.models import EXTERNAL
from tenants.models import ApiKey

#: The scope that an API key needs to process failures.
WORK_SCOPE = "dlq:work"
#: The maximum length of the name of a kind of failure. A failure's name ends with the name of its kind.
MAX_KIND_LENGTH = 80
_MAX_CLIENT_LENGTH = 50
_DIGEST_LENGTH = 8


def is_external(name: str) -> bool:
    """Return whether another system reported the failures with this name, so only that system can process them."""
    return name.startswith(EXTERNAL)


def namespace(client: str) -> str:
    """Return the prefix for the names of failures from the API client `client`.

    `client` is the name of an API key. Each client has a different prefix: a colon in the name is escaped, and a long
    name is replaced by its beginning and a digest.

    >>> namespace("pms"), namespace("pms: test")
    ('external:pms:', 'external:pms%3A test:')
    """
    escaped = client.replace("%", "%25").replace(":", "%3A")
    if len(escaped) > _MAX_CLIENT_LENGTH:
        digest = hashlib.sha256(client.encode()).hexdigest()[:_DIGEST_LENGTH]
        escaped = f"{escaped[: _MAX_CLIENT_LENGTH - _DIGEST_LENGTH - 1]}~{digest}"
    return f"{EXTERNAL}{escaped}:"


def external_name(client: str, kind: str) -> str:
    """Return the name of failures of this kind that API keys with the name `client` report."""
    return f"{namespace(client)}{kind}"


def kind_of(name: str) -> str:
    """Return the name of the kind without the prefix and the namespace, as the other system reported it.

    >>> kind_of("external:pms:booking:create")
    'booking:create'
    """
    return name.removeprefix(EXTERNAL).partition(":")[2]


def is_retryable(kind: Kind, *, is_task: bool) -> bool:
    """Return whether a Celery worker or a handler of another system can process failures of this kind again."""
    if is_external(kind.name):
        return _has_external_handler(kind.name)
    return is_task or kind.handler is not None


def missing_handler_reason(*, name: str, source: str) -> str:
    """Return a text for failures reported over REST. It explains why no other system can process the failure.

    Return "" if another system can process the failure, or if the failure was not reported over REST.
    """
    if not is_external(name) or _has_external_handler(name):
        return ""
    text = _(
        "{name} was reported by {source}. Send it again from {source}, and then discard the failure here."
    )
    return text.format(name=name, source=source)


def _has_external_handler(name: str) -> bool:
    """Return whether a valid API key of the current tenant can process failures with this name."""
    keys = ApiKey.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=Now()), scopes__contains=[WORK_SCOPE], revoked_at=None
    )
    return any(name.startswith(namespace(key)) for key in keys.values_list("name", flat=True))
