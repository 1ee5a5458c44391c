"""The fleet's migration: groups of hotels at the same state, one hotel by Django, the others by its text."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue

from django.conf import settings
from django.db import connection

from tenants.context import PUBLIC_SCHEMA, platform_context
from tenants.database import quoting, roles
from tenants.database.connections import direct_connection, execute_script
from tenants.lifecycle import template
from tenants.lifecycle.fleet.migration_lock import LOCK_TIMEOUT, retry_on_lock_timeout
from tenants.lifecycle.fleet.migration_state import Group, group_by_state
from tenants.lifecycle.fleet.schema_migrator import SchemaMigrator
from tenants.models import Hotel


@dataclass(slots=True)
class FleetResult:
    """`failed`: slug -> what went wrong there. Such a hotel is as it was, and the next run tries it again."""

    migrated: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


#: Told of each hotel as it is done: its slug, and the error or None.
Progress = Callable[[str, str | None], None]


def migrate_hotels(hotels: list[Hotel], *, jobs: int, progress: Progress) -> FleetResult:
    """Bring these hotels to the newest state. Direct route, platform's context, the migration lock held.

    One hotel's failure leaves it as it was, and the others go on.
    """
    result = FleetResult()
    for group in group_by_state(hotels):
        for hotel, error in _migrate_group(group, jobs=jobs):
            if error is None:
                result.migrated.append(hotel.slug)
            else:
                result.failed[hotel.slug] = error
            progress(hotel.slug, error)
    return result


def _migrate_group(group: Group, *, jobs: int) -> Iterator[tuple[Hotel, str | None]]:
    migrator = SchemaMigrator(group.hotels[0].tenant)
    if not migrator.plan:
        for hotel in group.hotels:
            yield hotel, _attempt(partial(_mark, hotel, template.fingerprint(group.state)))
        return
    if not migrator.replayable:
        yield from _in_parallel(group.hotels, jobs, _ByDjango)
        return
    waiting = list(group.hotels)
    lesson: list[Lesson] = []
    while waiting and not lesson:
        # The first that succeeds shows the others how; one that fails (its data are in the way) does not.
        first = waiting.pop(0)
        yield first, _attempt(partial(_teach, migrator, first, lesson))
    yield from _in_parallel(waiting, jobs, lambda: _ByText(lesson[0]))


@dataclass(frozen=True, slots=True)
class Lesson:
    """What Django sent to one hotel, for the others; `relations` where it made some, which want rights."""

    text: str
    relations: roles.SchemaRelations | None


def _teach(migrator: SchemaMigrator, hotel: Hotel, lesson: list[Lesson]) -> None:
    """Migrate this hotel by Django, and add to `lesson` what the others of its group need: one message."""
    before = migrator.applied(hotel.tenant)
    sent = retry_on_lock_timeout(lambda: migrator.migrate(hotel.tenant))
    after = migrator.applied(hotel.tenant)
    state = template.fingerprint(after)
    _mark(hotel, state)
    makes = settings.DATABASE_ROLES and any("CREATE " in text.upper() for text in sent)
    relations = _grant(hotel) if makes else None
    recorded = ", ".join(
        f"({quoting.literal(app)}, {quoting.literal(name)}, now())" for app, name in sorted(after - before)
    )
    statements = [
        f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'",
        *(text.rstrip().removesuffix(";") for text in sent),
        f"INSERT INTO django_migrations (app, name, applied) VALUES {recorded}",  # noqa: S608 - quoted above
        # The schema names the hotel: the text is the same for all.
        f"UPDATE public.tenants_hotel SET schema_version = {quoting.literal(state)} WHERE schema = current_schema()",  # noqa: S608
    ]
    lesson.append(Lesson(text=";\n".join(statements) + ";\n", relations=relations))


class _ByText:
    """Sends the group's text to a hotel: one message, which PostgreSQL runs as one transaction."""

    def __init__(self, lesson: Lesson) -> None:
        self.text = lesson.text
        self.relations = lesson.relations

    def __call__(self, hotel: Hotel) -> None:
        more = ""
        if self.relations is not None:
            more = roles.grants_sql(schema=hotel.schema, role=hotel.role, relations=self.relations)
        path = f"SET LOCAL search_path TO {quoting.identifiers(hotel.schema, PUBLIC_SCHEMA)};\n"
        retry_on_lock_timeout(lambda: execute_script(path + self.text + more))


class _ByDjango:
    """Migrates a hotel the ordinary way, with the hotel set: what runs Python, or may not be in a transaction."""

    def __init__(self) -> None:
        self.migrator: SchemaMigrator | None = None

    def __call__(self, hotel: Hotel) -> None:
        # Made from the first hotel that this thread gets: one that another thread has migrated lacks nothing.
        self.migrator = self.migrator or SchemaMigrator(hotel.tenant)
        _mark(hotel, "")  # until it is through: killed here, it counts as behind
        migrator = self.migrator
        retry_on_lock_timeout(lambda: migrator.migrate(hotel.tenant))
        if settings.DATABASE_ROLES:
            _grant(hotel)
        _mark(hotel, template.fingerprint(migrator.applied(hotel.tenant)))


def _in_parallel(
    hotels: list[Hotel], jobs: int, make_worker: Callable[[], Callable[[Hotel], None]]
) -> Iterator[tuple[Hotel, str | None]]:
    """Each thread has a direct connection and a worker of its own. Yields each hotel as it is done."""
    waiting: SimpleQueue[Hotel] = SimpleQueue()
    done: SimpleQueue[tuple[Hotel, str | None] | None] = SimpleQueue()
    for hotel in hotels:
        waiting.put(hotel)

    def work() -> None:
        try:
            with direct_connection(), platform_context():
                worker = make_worker()
                while True:
                    hotel = waiting.get_nowait()
                    done.put((hotel, _attempt(partial(worker, hotel))))
        except Empty:
            pass
        finally:
            done.put(None)

    threads = min(jobs, len(hotels))
    if not threads:
        return
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="migrate") as pool:
        futures = [pool.submit(work) for _ in range(threads)]
        while threads:
            result = done.get()
            if result is None:
                threads -= 1
            else:
                yield result
    for future in futures:
        future.result()  # a thread that could not even connect says so


def _attempt(work: Callable[[], object]) -> str | None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever a migration raises, the other hotels go on
        return f"{type(error).__name__}: {str(error).strip()}"
    return None


def _mark(hotel: Hotel, state: str) -> None:
    with platform_context():
        Hotel.objects.filter(id=hotel.id).update(schema_version=state)


def _grant(hotel: Hotel) -> roles.SchemaRelations:
    with platform_context(), connection.cursor() as cursor:
        relations = roles.list_relations(cursor, hotel.schema)
        cursor.execute(roles.grants_sql(schema=hotel.schema, role=hotel.role, relations=relations))
    return relations
