"""Celery's connection to Redis. A worker continues if Redis is killed while the worker is running a task."""

from typing import Any

from kombu.transport import redis


class Channel(redis.Channel):
    """A kombu channel that raises ConnectionError if its transport to Redis is closed.

    When the connection to Redis is lost, kombu 5.7 can close the transport without closing the channel. The next use of
    the channel, such as the acknowledgement of a message, then raises AttributeError. Celery handles connection errors
    only, so the AttributeError ends the worker.
    """

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """Return the parameters of a connection to Redis. Raise ConnectionError if the transport is closed."""
        if self.connection.client is None:
            raise ConnectionError("The connection to Redis is closed.")
        parameters: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        return parameters


class Transport(redis.Transport):
    """kombu's Redis transport, with the `Channel` class of this module."""

    Channel = Channel
