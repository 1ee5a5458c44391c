"""The daily usage of each hotel: collection, REST API, pages of the platform's admin, and metrics for Prometheus."""

from typing import Final

#: The kind of due item for counting the usage of a hotel. The id of the due item is the id of the hotel.
USAGE_DUE: Final = "usage"
