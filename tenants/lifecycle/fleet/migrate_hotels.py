"""Migration of hotels in groups. The hotels of a group need the same migrations.

Django migrates the first hotel of a group, and the SQL statements of Django are recorded. The other hotels of the group
run the recorded statements.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue

import structlog
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from tenants.context import PUBLIC_SCHEMA, platform_context
from tenants.database import quoting, roles
from tenants.database.connections import direct_connection, execute_script
from tenants.lifecycle.fleet.migration_state import AppliedMigrations, HotelGroup, group_by_applied_migrations
from tenants.lifecycle.fleet.schema_migrator import SchemaMigrator
from tenants.lifecycle.migration_lock import retry_on_lock_timeout, set_lock_timeout
from tenants.lifecycle.schema_template import compute_schema_version
from tenants.models import Hotel
from tenants.signals import hotel_migrated, hotel_migration_failed

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class FleetResult:
    """The result of a migration: the slugs of the migrated hotels, and the error of each failed hotel by slug.

    A failed hotel is unchanged, and the next run tries to migrate it again.
    """

    migrated: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


#: A callback that receives the slug of each migrated or failed hotel, and the error text or None.
Progress = Callable[[str, str | None], None]
HotelOutcome = tuple[Hotel, str | None]


def migrate_hotels(hotels: list[Hotel], *, jobs: int, progress: Progress) -> FleetResult:
    """Apply the missing migrations to these hotels, with `jobs` hotels at a time.

    Needs the direct connection, the platform's context and the migration lock. If the migration of a hotel fails, this
    hotel is unchanged, and the remaining hotels are migrated.
    """
    result = FleetResult()
    for group in group_by_applied_migrations(hotels):
        for hotel, error in _migrate_group(group, jobs=jobs):
            if error is None:
                result.migrated.append(hotel.slug)
            else:
                result.failed[hotel.slug] = error
                _send_failure(hotel, error)
            progress(hotel.slug, error)
    return result


def _migrate_group(group: HotelGroup, *, jobs: int) -> Iterator[HotelOutcome]:
    migrator = SchemaMigrator(group.hotels[0].tenant)
    if not migrator.plan:
        for hotel in group.hotels:
            yield hotel, _error_of(partial(store_version, hotel, group.applied, before=group.applied))
        return
    if not migrator.replayable:
        yield from _run_in_parallel(group.hotels, jobs, DjangoMigration)
        return
    remaining = list(group.hotels)
    scripts: list[MigrationScript] = []
    while remaining and not scripts:
        # A hotel's data can make its migration fail, so migrate one hotel after the other until one migration succeeds.
        first = remaining.pop(0)
        yield first, _error_of(partial(_migrate_and_record, migrator, first, scripts))
    yield from _run_in_parallel(remaining, jobs, lambda: ScriptReplay(scripts[0]))


@dataclass(frozen=True, slots=True)
class MigrationScript:
    """The SQL statements that Django executed to migrate the first of several hotels.

    The statements are run in the other hotels that lack the same migrations. `relations` lists all tables and sequences
    of a hotel if the migrations create some that need grants. Otherwise `relations` is None.
    """

    sql: str
    relations: roles.SchemaRelations | None
    before: AppliedMigrations
    after: AppliedMigrations


def _migrate_and_record(migrator: SchemaMigrator, hotel: Hotel, scripts: list[MigrationScript]) -> None:
    """Migrate the hotel with Django, and append an SQL script with the executed statements to `scripts`.

    Other hotels with the same missing migrations are then migrated with this script, which is faster.
    """
    before = migrator.applied(hotel.tenant)
    statements = retry_on_lock_timeout(lambda: migrator.migrate(hotel.tenant))
    after = migrator.applied(hotel.tenant)
    store_version(hotel, after, before=before)
    creates_relations = any("CREATE " in statement.upper() for statement in statements)
    relations = _grant(hotel) if settings.DATABASE_ROLES and creates_relations else None
    records = ", ".join(
        f"({quoting.literal(app)}, {quoting.literal(name)}, now())" for app, name in sorted(after - before)
    )
    script = [
        *(statement.rstrip().removesuffix(";") for statement in statements),
        f"INSERT INTO django_migrations (app, name, applied) VALUES {records}",  # noqa: S608 - quoted above
    ]
    scripts.append(MigrationScript(";\n".join(script) + ";\n", relations, before, after))


class ScriptReplay:
    """A callable that migrates a hotel by running an SQL script.

    The script was recorded while Django applied the same migrations to another hotel.
    """

    def __init__(self, script: MigrationScript) -> None:
        self.script = script

    def __call__(self, hotel: Hotel) -> None:
        grants = ""
        if self.script.relations is not None:
            grants = roles.grants_sql(schema=hotel.schema, role=hotel.role, relations=self.script.relations)
        path = f"SET LOCAL search_path TO {quoting.identifiers(hotel.schema, PUBLIC_SCHEMA)};\n"

        def migrate() -> None:
            with transaction.atomic():
                # Unlike execute_script(), a Django cursor sends BEGIN together with its first statement.
                set_lock_timeout()
                execute_script(path + self.script.sql + grants)
                store_version(hotel, self.script.after, before=self.script.before)

        retry_on_lock_timeout(migrate)


class DjangoMigration:
    """A worker that migrates hotels with Django, for migrations that run Python code or are not atomic."""

    def __init__(self) -> None:
        self.migrator: SchemaMigrator | None = None

    def __call__(self, hotel: Hotel) -> None:
        # Create the migrator before a hotel is migrated. After the migration, the migration plan would be empty.
        self.migrator = self.migrator or SchemaMigrator(hotel.tenant)
        # If this process is killed, the schema version stays empty, so the next `migrate` migrates the hotel again.
        Hotel.objects.filter(id=hotel.id).update(schema_version="")
        migrator = self.migrator
        before = migrator.applied(hotel.tenant)
        retry_on_lock_timeout(lambda: migrator.migrate(hotel.tenant))
        if settings.DATABASE_ROLES:
            _grant(hotel)
        store_version(hotel, migrator.applied(hotel.tenant), before=before)


def _run_in_parallel(
    hotels: list[Hotel], jobs: int, make_worker: Callable[[], Callable[[Hotel], None]]
) -> Iterator[HotelOutcome]:
    """Call a worker for each hotel in up to `jobs` threads, and yield the outcome of each hotel as it finishes.

    Each thread has a separate direct connection and a separate worker.
    """
    pending: SimpleQueue[Hotel] = SimpleQueue()
    finished: SimpleQueue[HotelOutcome | None] = SimpleQueue()
    for hotel in hotels:
        pending.put(hotel)

    def run_thread() -> None:
        try:
            with direct_connection(), platform_context():
                worker = make_worker()
                while True:
                    hotel = pending.get_nowait()
                    finished.put((hotel, _error_of(partial(worker, hotel))))
        except Empty:
            pass
        finally:
            finished.put(None)

    running = min(jobs, len(hotels))
    if not running:
        return
    with ThreadPoolExecutor(max_workers=running, thread_name_prefix="migrate") as pool:
        futures = [pool.submit(run_thread) for _ in range(running)]
        while running:
            outcome = finished.get()
            if outcome is None:
                running -= 1
            else:
                yield outcome
    for future in futures:
        # result() raises the exception of a thread that could not connect to the database.
        future.result()


def _error_of(work: Callable[[], object]) -> str | None:
    """Call the function `work`. Return the text of its exception, or None if it succeeds."""
    try:
        work()
    except Exception as error:  # noqa: BLE001 - a migration may raise anything, and the other hotels must go on
        return f"{type(error).__name__}: {str(error).strip()}"
    return None


def store_version(hotel: Hotel, applied: AppliedMigrations, *, before: AppliedMigrations) -> None:
    """Store the schema version for the applied migrations and send the signal `hotel_migrated`, in one transaction."""
    version = compute_schema_version(applied)
    detail = {
        "before": hotel.schema_version,
        "after": version,
        "migrations": sorted(f"{app}.{name}" for app, name in applied ^ before),
    }
    with platform_context(), transaction.atomic():
        Hotel.objects.filter(id=hotel.id).update(schema_version=version)
        hotel_migrated.send(Hotel, hotel=hotel, detail=detail)


def _send_failure(hotel: Hotel, error: str) -> None:
    """Send the signal `hotel_migration_failed` with the class of the error.

    If a receiver fails, the error is logged, because the other hotels must still be migrated.
    """
    detail = {"version": hotel.schema_version, "error": error.partition(":")[0]}
    try:
        with platform_context(), transaction.atomic():
            hotel_migration_failed.send(Hotel, hotel=hotel, detail=detail)
    except DatabaseError:
        log.exception("tenants.migration_failure_not_recorded", hotel=hotel.slug)


def _grant(hotel: Hotel) -> roles.SchemaRelations:
    with platform_context(), connection.cursor() as cursor:
        relations = roles.list_relations(cursor, hotel.schema)
        cursor.execute(roles.grants_sql(schema=hotel.schema, role=hotel.role, relations=relations))
    return relations
