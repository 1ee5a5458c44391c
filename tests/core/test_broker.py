"""Tests of Celery's connection to Redis."""

from typing import Any

import pytest
from django.conf import settings
from kombu import Connection
from kombu.message import Message
from kombu.simple import SimpleQueue

from hotelagent.celery import app
from hotelagent.core.broker import Transport


def received_message(connection: Connection) -> Message:
    """Return a Celery message that is received but not acknowledged, on a connection that is lost and only partly
    closed.

    kombu leaves a connection in this state if closing a channel fails before the transport is closed.
    """
    queue = SimpleQueue(connection.default_channel, "test-broker")
    queue.put("message")
    message = queue.get(timeout=5)
    channel: Any = connection.default_channel
    channel.qos._on_collect.cancel()  # else kombu restores the message when the tests end
    channel._disconnect_pools()
    connection._do_close_transport()
    return message


def test_celery_uses_the_redis_transport_of_this_project() -> None:
    assert isinstance(app.connection_for_read().transport, Transport)


def test_acknowledgement_on_a_partly_closed_connection_raises_a_connection_error() -> None:
    connection = Connection(settings.REDIS_URL, transport=Transport)
    message = received_message(connection)
    with pytest.raises(connection.connection_errors):
        message.ack()


def test_unmodified_kombu_raises_attribute_error_if_the_connection_is_partly_closed() -> None:
    """If this test fails, kombu has fixed the bug, and `hotelagent.core.broker` is no longer needed."""
    message = received_message(Connection(settings.REDIS_URL))
    with pytest.raises(AttributeError, match="hostname"):
        message.ack()
