"""`migrate`: the platform's schema, the template of new hotels, and every hotel (DESIGN 4.5)."""

import json
import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate as django_migrate
from django.db import DEFAULT_DB_ALIAS, connection, transaction

from tenants.checks.connections import check_direct_connection
from tenants.context import Tenant, hotel_context, platform_context
from tenants.database import roles, shared_roles
from tenants.database.connections import direct_connection
from tenants.database.logins import (
    apply_runtime_settings,
    can_create_roles,
    get_database_logins,
    login_exists,
)
from tenants.errors import DomainError
from tenants.lifecycle import template
from tenants.lifecycle.fleet import migrate_hotels, migration_plan, migration_state
from tenants.lifecycle.fleet.migration_lock import hold_migration_lock, retry_on_lock_timeout
from tenants.lifecycle.fleet.progress import shown
from tenants.lifecycle.fleet.schema_migrator import SchemaMigrator
from tenants.models import Hotel

#: Django's options that mean "this, in each schema", not "everything to the newest".
_ONE_BY_ONE = ("app_label", "fake", "fake_initial", "prune")


class Command(django_migrate.Command):
    help = (
        "Bring the database to the newest state: the platform's schema, then the template that new hotels are made "
        "from, then every hotel. Always over the direct route (DATABASE_DIRECT_URL). One hotel's failure leaves it "
        "as it was and the others go on; the exit code is 1 then, and the next run tries it again. "
        "With an app label, --fake or --prune it does to each schema what Django's own command does."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--hotel", action="append", metavar="SLUG", help="Only this hotel of the fleet; may be repeated."
        )
        parser.add_argument(
            "--canary", metavar="SLUG,SLUG", default="",
            help="These hotels first; the rest only if all of them went through.",
        )  # fmt: skip
        parser.add_argument(
            "--jobs", type=int, default=min(8, 2 * (os.cpu_count() or 2)),
            help="Hotels at once, each on a connection of its own (default: %(default)s).",
        )  # fmt: skip
        parser.add_argument(
            "--json", action="store_true", help="Print one JSON object about the fleet at the end."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] != DEFAULT_DB_ALIAS:
            super().handle(*args, **options)
            return
        if options["json"]:
            options["verbosity"] = 0
        if options["jobs"] < 1:
            raise CommandError("--jobs takes 1 or more.", returncode=2)
        if not options["skip_checks"]:
            self._check_route()
        self.options = options
        self.verbosity = options["verbosity"]
        try:
            with direct_connection(), platform_context(), hold_migration_lock():
                self._migrate()
        except DomainError as error:
            raise CommandError(error.detail) from error

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """The checks that ask no database: rights that drifted are no reason not to begin, for this mends them."""
        kwargs: Any = super().get_check_kwargs(options)
        return {**kwargs, "databases": None}

    def _check_route(self) -> None:
        for problem in check_direct_connection(databases=[DEFAULT_DB_ALIAS]):
            raise CommandError(f"{problem.msg} ({problem.id})\n{problem.hint}")

    def _migrate(self) -> None:
        if self.options["plan"] or self.options["check_unapplied"]:
            self._report()
        elif any(self.options[option] for option in _ONE_BY_ONE):
            self._one_by_one()
        else:
            self._platform()
            self._template()
            self._fleet()

    # Everything to the newest.

    def _platform(self) -> None:
        self._say("Platform")
        with platform_context():
            if settings.DATABASE_ROLES:
                self._demand_logins()
            super().handle(**self.options)
            self._ensure_shared_roles()

    def _demand_logins(self) -> None:
        """Before anything is changed: what the walls need and only an administrator can give."""
        with connection.cursor() as cursor:
            logins = get_database_logins(cursor)
            if not login_exists(cursor, logins.runtime):
                raise CommandError(
                    f"DATABASE_URL logs in as {logins.runtime!r}, and this database has no such role. Make it first:\n"
                    f"  CREATE ROLE \"{logins.runtime}\" LOGIN NOINHERIT PASSWORD '...';\n"
                    "or, where roles can't be made, set DATABASE_ROLES=False (DESIGN 4.3 says what that costs)."
                )
            if not can_create_roles(cursor):
                raise CommandError(
                    f"DATABASE_DIRECT_URL logs in as {logins.owner!r}, which may not create roles, and each hotel gets "
                    "one of its own. Let an administrator of the database run:\n"
                    f'  ALTER ROLE "{logins.owner}" CREATEROLE;\n'
                    "or, where that can't be, set DATABASE_ROLES=False (DESIGN 4.3 says what that costs)."
                )

    def _ensure_shared_roles(self) -> None:
        """Ensure the shared roles and their rights.

        If DATABASE_ROLES is off and both URLs name one login, ensure only the settings of that login.
        """
        with connection.cursor() as cursor:
            logins = get_database_logins(cursor)
            refused: list[str] = []
            with transaction.atomic():
                if settings.DATABASE_ROLES:
                    refused = shared_roles.ensure_shared_privileges(cursor, logins)
                elif logins.is_single_login:
                    refused = apply_runtime_settings(cursor, logins)
            for statement in refused:
                self.stderr.write(
                    self.style.WARNING(f"An administrator of the database must run: {statement};")
                )

    def _template(self) -> None:
        template.ensure_schema()
        migrator = SchemaMigrator(template.TEMPLATE)
        if migrator.plan:
            self._say(f"Template: {len(migrator.plan)} migrations")
            retry_on_lock_timeout(lambda: migrator.migrate(template.TEMPLATE))
        self.target = template.fingerprint(migrator.applied(template.TEMPLATE))
        if migrator.plan or template.stored_version() != self.target:
            template.store(self.target)

    def _fleet(self) -> None:
        with platform_context():
            hotels = migration_state.find_hotels_behind(self.target, slugs=self._chosen())
            result = migrate_hotels.FleetResult()
            canaries = self._canaries(hotels)
            rest = [hotel for hotel in hotels if hotel not in canaries]
            with shown(len(hotels), stream=self.stdout, verbosity=self.verbosity) as progress:
                for wave in (canaries, rest):
                    done = migrate_hotels.migrate_hotels(wave, jobs=self.options["jobs"], progress=progress)
                    result.migrated += done.migrated
                    result.failed |= done.failed
                    if wave is canaries and done.failed:
                        break
            mended = self._mend()
        self._tell(result, untouched=len(hotels) - len(result.migrated) - len(result.failed), mended=mended)

    def _mend(self) -> list[str]:
        """Give each hotel's role the rights it should have, where they drifted."""
        if not settings.DATABASE_ROLES:
            return []
        with connection.cursor() as cursor:
            logins = get_database_logins(cursor)
            drifted = roles.find_privilege_drift(cursor, logins)
            for hotel in drifted:
                roles.repair_hotel_privileges(cursor, hotel, logins)
        return [hotel.slug for hotel in drifted]

    def _canaries(self, hotels: list[Hotel]) -> list[Hotel]:
        wanted = [slug for slug in self.options["canary"].split(",") if slug]
        self._known(wanted)
        return [hotel for hotel in hotels if hotel.slug in wanted]

    def _chosen(self) -> list[str] | None:
        chosen: list[str] | None = self.options["hotel"]
        self._known(chosen or [])
        return chosen

    def _known(self, slugs: list[str]) -> None:
        if not slugs:
            return
        known = set(Hotel.objects.filter(slug__in=slugs).values_list("slug", flat=True))
        if unknown := sorted(set(slugs) - known):
            raise CommandError(
                f"There is no hotel {', '.join(unknown)}. See `manage.py list_hotels`.", returncode=2
            )

    def _tell(self, result: migrate_hotels.FleetResult, *, untouched: int, mended: list[str]) -> None:
        if self.options["json"]:
            told = {
                "migrated": sorted(result.migrated),
                "failed": result.failed,
                "untouched": untouched,
                "repaired": mended,
            }
            self.stdout.write(json.dumps(told))
        else:
            self._say(
                f"Hotels: {len(result.migrated)} migrated, {len(result.failed)} failed, {untouched} untouched"
            )
            if mended:
                self._say(f"Rights mended: {', '.join(mended)}")
            for slug, error in sorted(result.failed.items()):
                self.stderr.write(self.style.ERROR(f"{slug}: {error}"))
        if result.failed:
            sys.exit(1)

    # What Django's own command does, in each schema.

    def _schemas(self) -> list[Tenant]:
        with platform_context():
            slugs = self._chosen()
            if slugs:
                return [hotel.tenant for hotel in Hotel.objects.filter(slug__in=slugs)]
            hotels = Hotel.objects.exclude(status="provisioning")
            return [template.TEMPLATE, *(hotel.tenant for hotel in hotels)]

    def _one_by_one(self) -> None:
        if not self.options["hotel"]:
            with platform_context():
                super().handle(**self.options)
            template.ensure_schema()
        failed = {}
        for tenant in self._schemas():
            self._say(f"Schema {tenant.schema}")
            with platform_context():
                Hotel.objects.filter(schema=tenant.schema).update(schema_version="")
            try:
                with hotel_context(tenant):
                    super().handle(**{**self.options, "verbosity": 0})
            except (CommandError, LookupError):
                raise
            except Exception as problem:  # noqa: BLE001 - the other hotels go on
                failed[tenant.schema] = f"{type(problem).__name__}: {problem}"
            self._mark(tenant)
        for schema, error in failed.items():
            self.stderr.write(self.style.ERROR(f"{schema}: {error}"))
        if failed:
            sys.exit(1)

    def _mark(self, tenant: Tenant) -> None:
        state = template.fingerprint(SchemaMigrator(tenant).applied(tenant))
        if tenant == template.TEMPLATE:
            template.store(state)
        with platform_context():
            Hotel.objects.filter(schema=tenant.schema).update(schema_version=state)

    # --plan and --check

    def _report(self) -> None:
        to_do = (
            migration_plan.plan_platform()
            + migration_plan.plan_template()
            + migration_plan.plan_fleet(self.options["hotel"])
        )
        if self.options["json"]:
            self.stdout.write(json.dumps([step.as_json() for step in to_do]))
        elif self.options["plan"]:
            for step in to_do:
                self.stdout.write(step.text())
            if not to_do:
                self.stdout.write("Nothing to do.")
        if to_do and self.options["check_unapplied"]:
            sys.exit(1)

    def _say(self, text: str) -> None:
        if self.verbosity:
            self.stdout.write(self.style.MIGRATE_HEADING(text))
