"""One POST of a notice. See `hotelagent.core.http_client` for how it goes out."""

from collections.abc import Mapping

from hotelagent.core.http_client import ask

#: From the first packet to the status line.
SECONDS = 10.0


def post(url: str, *, headers: Mapping[str, str], body: bytes) -> int:
    """The status that the other side answers with. Raises AddressRefused, or NotDelivered where it gives none."""
    return ask("POST", url, headers=headers, body=body, seconds=SECONDS).status
