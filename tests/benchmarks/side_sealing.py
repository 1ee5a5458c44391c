"""The functions of hotelagent and of pymerkle that the benchmarks of sealing call.

The module `contestants` starts a process with the development settings and calls these functions there.
"""

import math
from collections.abc import Iterator

import pymerkle
from django.conf import settings
from django.core.management import call_command

from audit.sealing import logs, rows
from audit.sealing.keys import load_signing_keys
from audit.sealing.models import Log
from audit.sealing.rows import EventRow, Key
from audit.sealing.run import RunResult, seal_tenant
from audit.sealing.sealer import BATCH_SIZE
from audit.services import record_many
from audit.transparency.notes import PrivateKey
from audit.verification.results import Status
from audit.verification.verify import verify_trail
from dlq import events
from tenants import services
from tenants.context import Actor, Tenant, actor_context, hotel_context, platform_context
from tenants.models import Hotel

SLUG = "bench"
#: The number of events per transaction.
PER_TRANSACTION = 50


def prepare() -> None:
    """Migrate the benchmark database, create the hotel, and configure a signing key."""
    call_command("migrate", verbosity=0)
    services.create_hotel(slug=SLUG, name="Hotel Bench", email="desk@example.com")
    settings.AUDIT_SIGNING_KEY = PrivateKey.generate("bench").text


def _tenant() -> Tenant:
    with platform_context():
        return Hotel.objects.get(slug=SLUG).tenant


def record_events(count: int) -> None:
    """Record events that contain personal data of a staff member."""
    actor = Actor("user", "0198c0de-0000-7000-8000-000000000001", "ana", "192.0.2.7", "request-1")
    fields = {"name": "reminders.send", "was": "scheduled"}
    with hotel_context(_tenant()), actor_context(actor):
        for _transaction in range(count // PER_TRANSACTION):
            record_many(events.DISCARDED, [(("failure", "1"), fields) for _ in range(PER_TRANSACTION)])


def discard_log() -> None:
    with platform_context():
        Log.objects.all().delete()


def seal() -> None:
    """Seal all events of the hotel."""
    tenant = _tenant()
    seal_tenant(tenant, logs.open_log(tenant.id), load_signing_keys(), math.inf, RunResult())


def verify(count: int) -> None:
    """Verify the audit trail of the hotel. Raise RuntimeError if the audit trail is not valid."""
    report = verify_trail(_tenant())
    if report.status != Status.VALID or report.events < count:
        raise RuntimeError(str(report))


def _batches() -> Iterator[list[EventRow]]:
    """Yield the events of the hotel in batches of `BATCH_SIZE` events, in the order in which the events are sealed."""
    place = Key(0)
    with hotel_context(_tenant()):
        horizon, _following = rows.read_horizon()
        while True:
            batch, place = rows.read_unsealed(place, horizon, BATCH_SIZE)
            if not batch:
                return
            yield batch


def seal_with_pymerkle(path: str) -> None:
    """Append the entries of all events to a new tree, and compute its root after each batch."""
    with pymerkle.SqliteTree(path) as tree:
        for batch in _batches():
            tree.append_entries([row.entry for row in batch])
            tree.get_state()


def verify_with_pymerkle(path: str) -> None:
    """Compare the hash of each event with the tree, and compute the root of the tree."""
    with pymerkle.SqliteTree(path) as tree:
        entries = (row.entry for batch in _batches() for row in batch)
        for index, entry in enumerate(entries, start=1):
            if tree.hash_buff(entry) != tree.get_leaf(index):
                raise RuntimeError(f"The event {index} was changed.")
        tree.get_state()
