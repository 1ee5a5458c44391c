"""Django settings for the REST benchmark: hotelagent without rate limits, and with the view of `side_urls`."""

from hotelagent.settings import development, rest

HOTEL_URLCONF = "tests.benchmarks.side_urls"
REST_FRAMEWORK = {
    **rest.REST_FRAMEWORK,
    "DEFAULT_THROTTLE_RATES": {"client": "100000000/min", "anonymous": "60/min"},
}


def __getattr__(name: str) -> object:
    return getattr(development, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(development)})
