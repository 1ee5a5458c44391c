"""The command `migrate`, which migrates the platform's schema, the template schema and every hotel."""

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
from tenants.lifecycle import pgtools, schema_template
from tenants.lifecycle.fleet import migration_plan
from tenants.lifecycle.fleet.migrate_hotels import FleetResult, migrate_hotels, store_version
from tenants.lifecycle.fleet.migration_state import AppliedMigrations, find_hotels_behind
from tenants.lifecycle.fleet.schema_migrator import SchemaMigrator
from tenants.lifecycle.migration_lock import hold_migration_lock, retry_on_lock_timeout
from tenants.management.progress import hotel_progress
from tenants.models import Hotel

#: The options with which Django's own `migrate` command runs in each schema.
_PER_SCHEMA_OPTIONS = ("app_label", "fake", "fake_initial", "prune")


class Command(django_migrate.Command):
    help = (
        "Migrate the platform's schema, then the template schema of new hotels, then every hotel, over the direct "
        "connection (DATABASE_DIRECT_URL). A hotel whose migration fails stays unchanged, the other hotels are "
        "migrated, and the exit code is 1; the next run tries it again. Privileges that have changed are repaired. "
        "With an app label, --fake or --prune, Django's own command runs for each schema. "
        "Example: migrate --canary resort,city --jobs 4"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--hotel", action="append", metavar="SLUG", help="Migrate only this hotel. Repeat it for several."
        )
        parser.add_argument(
            "--canary", metavar="SLUG,SLUG", default="",
            help="Migrate these hotels first, and the others only if all of them succeed.",
        )  # fmt: skip
        parser.add_argument(
            "--jobs", type=int, default=min(8, 2 * (os.cpu_count() or 2)),
            help="The number of hotels to migrate at a time, each on a separate connection (default: %(default)s).",
        )  # fmt: skip
        parser.add_argument(
            "--json", action="store_true", help="Print the result for the hotels as one JSON document."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] != DEFAULT_DB_ALIAS:
            super().handle(*args, **options)
            return
        if options["json"]:
            options["verbosity"] = 0
        if options["jobs"] < 1:
            raise CommandError("--jobs must be at least 1.", returncode=2)
        if not options["skip_checks"]:
            self._check_direct_connection()
        self.options = options
        self.verbosity = options["verbosity"]
        try:
            with direct_connection(), platform_context(), hold_migration_lock():
                self._migrate()
        except DomainError as error:
            raise CommandError(error.detail) from error

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """Return options that skip database checks.

        The checks would report missing or wrong privileges, which this command repairs.
        """
        kwargs: Any = super().get_check_kwargs(options)
        return {**kwargs, "databases": None}

    def _check_direct_connection(self) -> None:
        for problem in check_direct_connection(databases=[DEFAULT_DB_ALIAS]):
            raise CommandError(f"{problem.msg} ({problem.id})\n{problem.hint}")

    def _migrate(self) -> None:
        if self.options["plan"] or self.options["check_unapplied"]:
            self._show_plan()
        elif any(self.options[option] for option in _PER_SCHEMA_OPTIONS):
            self._run_django_per_schema()
        else:
            self._migrate_platform()
            self._migrate_template()
            self._migrate_hotels()

    # The methods below migrate all schemas to the newest state.

    def _migrate_platform(self) -> None:
        self._write_heading("Platform")
        with platform_context():
            if settings.DATABASE_ROLES:
                self._require_logins()
            super().handle(**self.options)
            self._ensure_privileges()

    def _require_logins(self) -> None:
        """Raise CommandError if an administrator must create or alter a login before this command can run."""
        with connection.cursor() as cursor:
            logins = get_database_logins(cursor)
            if not login_exists(cursor, logins.runtime):
                raise CommandError(
                    f"DATABASE_URL logs in as {logins.runtime!r}, and this role does not exist. Create it first:\n"
                    f"  CREATE ROLE \"{logins.runtime}\" LOGIN NOINHERIT PASSWORD '...';\n"
                    "If you cannot create roles, set DATABASE_ROLES=False. tenants/database/README.md describes the "
                    "consequences."
                )
            if not can_create_roles(cursor):
                raise CommandError(
                    f"DATABASE_DIRECT_URL logs in as {logins.owner!r}, which may not create roles. Each hotel needs a "
                    "role. As an administrator of the database, run:\n"
                    f'  ALTER ROLE "{logins.owner}" CREATEROLE;\n'
                    "If this is not possible, set DATABASE_ROLES=False. tenants/database/README.md describes the "
                    "consequences."
                )

    def _ensure_privileges(self) -> None:
        """Grant the privileges that all hotels share, and store the PostgreSQL settings of the runtime login.

        If DATABASE_ROLES is off, no privileges are granted, and the settings are stored only if the runtime connection
        and the direct connection use the same login.
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
                    self.style.WARNING(f"As an administrator of the database, run: {statement};")
                )

    def _migrate_template(self) -> None:
        schema_template.ensure_schema()
        tenant = schema_template.TEMPLATE_TENANT
        migrator = SchemaMigrator(tenant)
        if migrator.plan:
            self._write_heading(f"Template: {len(migrator.plan)} migrations")
            retry_on_lock_timeout(lambda: migrator.migrate(tenant))
        self.target_version = schema_template.compute_schema_version(migrator.applied(tenant))
        if migrator.plan or not schema_template.is_script_current(self.target_version):
            try:
                self.target_version = schema_template.store_script()
            except pgtools.ProgramFailed as error:
                raise CommandError(str(error)) from error

    def _migrate_hotels(self) -> None:
        with platform_context():
            hotels = find_hotels_behind(self.target_version, slugs=self._selected_slugs())
            result = FleetResult()
            canaries = self._select_canaries(hotels)
            others = [hotel for hotel in hotels if hotel not in canaries]
            with hotel_progress(len(hotels), stream=self.stdout, verbosity=self.verbosity) as progress:
                for wave in (canaries, others):
                    wave_result = migrate_hotels(wave, jobs=self.options["jobs"], progress=progress)
                    result.migrated += wave_result.migrated
                    result.failed |= wave_result.failed
                    if wave is canaries and wave_result.failed:
                        break
            repaired = self._repair_privileges()
        untouched = len(hotels) - len(result.migrated) - len(result.failed)
        self._write_result(result, untouched=untouched, repaired=repaired)

    def _repair_privileges(self) -> list[str]:
        """Repair the privileges of hotels that no longer have the right privileges, and return the hotels' slugs."""
        if not settings.DATABASE_ROLES:
            return []
        with connection.cursor() as cursor:
            logins = get_database_logins(cursor)
            hotels = roles.find_privilege_drift(cursor, logins)
            for hotel in hotels:
                roles.repair_hotel_privileges(cursor, hotel, logins)
        return [hotel.slug for hotel in hotels]

    def _select_canaries(self, hotels: list[Hotel]) -> list[Hotel]:
        slugs = [slug for slug in self.options["canary"].split(",") if slug]
        self._require_hotels(slugs)
        return [hotel for hotel in hotels if hotel.slug in slugs]

    def _selected_slugs(self) -> list[str] | None:
        slugs: list[str] | None = self.options["hotel"]
        self._require_hotels(slugs or [])
        return slugs

    def _require_hotels(self, slugs: list[str]) -> None:
        if not slugs:
            return
        known = set(Hotel.objects.filter(slug__in=slugs).values_list("slug", flat=True))
        if unknown := sorted(set(slugs) - known):
            raise CommandError(
                f"Hotel not found: {', '.join(unknown)}. Run `manage.py list_hotels` to see all hotels.",
                returncode=2,
            )

    def _write_result(self, result: FleetResult, *, untouched: int, repaired: list[str]) -> None:
        if self.options["json"]:
            document = {
                "migrated": sorted(result.migrated),
                "failed": result.failed,
                "untouched": untouched,
                "repaired": repaired,
            }
            self.stdout.write(json.dumps(document))
        else:
            self._write_heading(
                f"Hotels: {len(result.migrated)} migrated, {len(result.failed)} failed, {untouched} untouched"
            )
            if repaired:
                self._write_heading(f"Privileges repaired: {', '.join(repaired)}")
            for slug, error in sorted(result.failed.items()):
                self.stderr.write(self.style.ERROR(f"{slug}: {error}"))
        if result.failed:
            sys.exit(1)

    # The methods below run Django's own `migrate` command in each schema.

    def _list_tenants(self) -> list[Tenant]:
        with platform_context():
            slugs = self._selected_slugs()
            if slugs:
                return [hotel.tenant for hotel in Hotel.objects.filter(slug__in=slugs)]
            hotels = Hotel.objects.exclude(status="provisioning")
            return [schema_template.TEMPLATE_TENANT, *(hotel.tenant for hotel in hotels)]

    def _run_django_per_schema(self) -> None:
        if not self.options["hotel"]:
            with platform_context():
                super().handle(**self.options)
            schema_template.ensure_schema()
        failed = {}
        for tenant in self._list_tenants():
            self._write_heading(f"Schema {tenant.schema}")
            hotel, before = self._start_migration(tenant)
            try:
                with hotel_context(tenant):
                    super().handle(**{**self.options, "verbosity": 0})
            except (CommandError, LookupError):
                raise
            except Exception as error:  # noqa: BLE001 - a migration may raise anything, and the others must go on
                failed[tenant.schema] = f"{type(error).__name__}: {error}"
            self._finish_migration(tenant, hotel, before)
        for schema, message in failed.items():
            self.stderr.write(self.style.ERROR(f"{schema}: {message}"))
        if failed:
            sys.exit(1)

    def _start_migration(self, tenant: Tenant) -> tuple[Hotel | None, AppliedMigrations]:
        """Clear the hotel's schema version. Return the hotel (None for the template) and the applied migrations."""
        with platform_context():
            hotels = Hotel.objects.filter(schema=tenant.schema)
            hotel = hotels.first()
            hotels.update(schema_version="")
        return hotel, SchemaMigrator(tenant).applied(tenant)

    def _finish_migration(self, tenant: Tenant, hotel: Hotel | None, before: AppliedMigrations) -> None:
        if hotel is None:
            schema_template.store_script()
        else:
            store_version(hotel, SchemaMigrator(tenant).applied(tenant), before=before)

    # --plan and --check

    def _show_plan(self) -> None:
        steps = (
            migration_plan.plan_platform()
            + migration_plan.plan_template()
            + migration_plan.plan_fleet(self.options["hotel"])
        )
        if self.options["json"]:
            self.stdout.write(json.dumps([step.as_json() for step in steps]))
        elif self.options["plan"]:
            for step in steps:
                self.stdout.write(step.as_text())
            if not steps:
                self.stdout.write("No migrations to apply.")
        if steps and self.options["check_unapplied"]:
            sys.exit(1)

    def _write_heading(self, text: str) -> None:
        if self.verbosity:
            self.stdout.write(self.style.MIGRATE_HEADING(text))
