"""Beat that may run twice: one leads, the other takes over when the leader's lease ends (DESIGN 4.7)."""

import logging
import os
import socket
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django_celery_beat.schedulers import DatabaseScheduler

from tenants.context import platform_context
from tenants.queue import leases

logger = logging.getLogger(__name__)

LEASE = "beat"
LEASE_SECONDS = 20
#: Between two looks at the lease. With the lease's end this makes a take-over in less than 30 s.
RENEW_SECONDS = 5.0


class LeadingScheduler(DatabaseScheduler):  # type: ignore[misc]
    """django-celery-beat's scheduler, which sends only while it holds the lease.

    A leader that was stopped and goes on after its lease ended finds that out before it sends: each tick
    renews first. What is sent twice nevertheless does no harm: the due queue leases what it hands out.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}"
        self.leads = False
        super().__init__(*args, **kwargs)
        self.max_interval = RENEW_SECONDS

    def setup_schedule(self) -> None:
        with platform_context():
            super().setup_schedule()

    def tick(self, *args: Any, **kwargs: Any) -> float:
        try:
            with platform_context():
                if not self._lead():
                    return RENEW_SECONDS
                return float(min(super().tick(*args, **kwargs), RENEW_SECONDS))
        except (InterfaceError, OperationalError) as error:
            logger.warning("beat waits for the database: %s", str(error).partition("\n")[0])
            connection.close()
            self.leads = False
            return RENEW_SECONDS

    def sync(self) -> None:
        """Store when each task was last sent. One that doesn't lead has nothing to say about it."""
        if self.leads:
            with platform_context():
                super().sync()

    def close(self) -> None:
        super().close()
        if self.leads:
            with platform_context():
                leases.release(name=LEASE, holder=self.holder)
            self.leads = False

    def _lead(self) -> bool:
        leads = leases.acquire(name=LEASE, holder=self.holder, seconds=LEASE_SECONDS)
        if leads and not self.leads:
            logger.info("this beat leads: %s", self.holder)
            # Read again what the one before has stored: when each task was last sent.
            self._schedule = self._heap = None
            self._initial_read = True
        elif self.leads and not leads:
            logger.warning("another beat leads now; this one stands by: %s", self.holder)
        self.leads = leads
        return leads
