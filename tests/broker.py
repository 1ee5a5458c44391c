"""Access of the test process to the message broker."""

from kombu import pools

from hotelagent.celery import app


def close_broker_connections() -> None:
    """Make Celery open new connections, because a test has changed the URL of the broker.

    `app.close()` is not used here, because it also removes the app from the apps that get new shared tasks.
    """
    pools.reset()
    app._pool = None  # type: ignore[attr-defined]
    app.amqp._producer_pool = None  # type: ignore[attr-defined]
