"""Access of the test process to the message broker."""

from kombu import pools

from hotelagent.celery import app


def close_broker_connections() -> None:
    """Make Celery open new connections, because a test has changed the URL of the broker.

    The function does not call `app.close()`, because Celery would then not register new shared tasks in the app.
    """
    pools.reset()
    app._pool = None  # type: ignore[attr-defined]
    app.amqp._producer_pool = None  # type: ignore[attr-defined]
