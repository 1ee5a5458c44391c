"""A helper for tests in which several callers act at the same time."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from django.db import connection

from tenants.context import Actor, actor_context, hotel_context
from tenants.models import Hotel


def call_at_the_same_time(
    hotel: Hotel, *functions: Callable[[], Any], kind: Literal["user", "key"] = "user"
) -> list[Any]:
    """Call the functions in the context of the hotel, and return their results in the same order.

    Each function runs in a separate thread, with a separate database connection and a separate actor of this kind. The
    threads start together. If a function raises an error, the error is raised after all functions have ended.
    """
    start = threading.Barrier(len(functions))

    def call(number: int, function: Callable[[], Any]) -> Any:
        try:
            with hotel_context(hotel), actor_context(Actor(kind, f"rival-{number}", "rival")):
                start.wait(timeout=30)
                return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as pool:
        futures = [pool.submit(call, *pair) for pair in enumerate(functions)]
    return [future.result() for future in futures]
