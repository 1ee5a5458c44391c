"""Tests that services record what they change, and that views record the personal data that they show.

A service that an interface refers to must not change rows unless an event is recorded. A view that refers to a model of
guests or staff must report what it shows. Functions marked with `tenants.unaudited` are exempt. A function to which
only exempt functions refer is exempt, too.
"""

import ast
from functools import cache
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin import ModelAdmin

from hotelagent.admin.base import HotelModelAdmin
from hotelagent.admin.sites import hotel_site, platform_site
from hotelagent.rest.views import HotelAPIView
from tenants.personal_data import identifies_people
from tests.architecture import calls
from tests.architecture.calls import functions, module_of_function
from tests.architecture.modules import subclasses, tree
from tests.architecture.test_layers import INTERFACES, is_in

RECORDING = frozenset(
    {
        "audit.services.record",
        "audit.services.record_many",
        "audit.services.record_in_own_transaction",
        "audit.services.record_deletion",
        "audit.hotels.both_trails.record_in_both_trails",
    }
)
MARKER = "tenants.unaudited.unaudited"
#: The tables of these modules contain technical data, such as queues, stored responses and checkpoints.
TECHNICAL = ("tenants.queue", "tenants.database", "tenants.access.idempotency", "audit", "hotelagent.core")


def is_interface(name: str) -> bool:
    return bool(INTERFACES & set(module_of_function(name).split(".")))


def is_technical(name: str) -> bool:
    module = module_of_function(name)
    return "models" in module.split(".") or any(is_in(module, package) for package in TECHNICAL)


def is_marked(name: str) -> bool:
    module = module_of_function(name)
    return any(
        isinstance(decorator, ast.Call) and calls.resolve(module, ast.unparse(decorator.func)) == MARKER
        for decorator in functions()[name].node.decorator_list
    )


def reached(name: str, *, through_marked: bool = False) -> set[str]:
    return calls.reachable(name, stop=lambda _name: False if through_marked else is_marked(_name))


def writes(names: set[str]) -> bool:
    return any(
        functions()[name].writes or calls.writes_sql(functions()[name].sql)
        for name in names
        if not is_technical(name)
    )


def records(names: set[str]) -> bool:
    return any(
        functions()[name].references & RECORDING
        or any(reference.startswith("tenants.signals.") for reference in functions()[name].references)
        or "audit_record" in calls.sql_text(functions()[name].sql)
        for name in names
    )


@cache
def services() -> frozenset[str]:
    """Return the public functions that an interface module, such as an API view, uses from other modules."""
    return frozenset(
        reference
        for name, function in functions().items()
        if is_interface(name)
        for reference in function.references
        if reference in functions() and not is_interface(reference) and not is_technical(reference)
    )


def test_services_that_change_rows_record_an_audit_event() -> None:
    unrecorded = [name for name in services() if writes(found := reached(name)) and not records(found)]
    assert sorted(unrecorded) == []


def test_every_function_with_the_unaudited_marker_needs_the_marker() -> None:
    marked = {name for name in functions() if is_marked(name)}
    assert marked
    superfluous = {
        name
        for name in marked
        if not is_interface(name)
        and (not writes(found := reached(name, through_marked=True)) or records(found))
    }
    assert superfluous == set()


@pytest.mark.parametrize(
    "name",
    ["reminders.reservations.services.cancel_reservation", "locks.services.holds.release_hold",
     "tenants.lifecycle.suspension.suspend_hotel", "dlq.retention.clean_up.clean_up"],
)  # fmt: skip
def test_changes_of_rows_are_found_in_services_that_record_audit_events(name: str) -> None:
    """The search for changed rows must work. The test of all services would also pass if the search found nothing."""
    assert name in services()
    assert writes(reached(name))
    assert records(reached(name))


@cache
def people() -> frozenset[str]:
    """Return the dotted names of the models whose rows identify guests or members of staff."""
    return frozenset(
        f"{model.__module__}.{model.__name__}"
        for model in apps.get_models()
        if identifies_people(model._meta.db_table)
    )


def shows_people(name: str) -> bool:
    return any(functions()[other].references & people() for other in reached(name))


def declares_personal_data(name: str) -> bool:
    """Return whether the class of a method of the API has the attribute `personal_data`."""
    owner = name.rpartition(".")[0]
    module = module_of_function(name)
    for node in tree(module).body:
        if isinstance(node, ast.ClassDef) and f"{module}.{node.name}" == owner:
            return any(
                isinstance(part, ast.Assign) and ast.unparse(part.targets[0]) == "personal_data"
                for part in node.body
            )
    return False


def functions_with_parameter(annotation: str) -> set[str]:
    """Return the functions in the layer of interfaces (such as API views) that have a parameter of this type."""
    return {
        name
        for name, function in functions().items()
        if is_interface(name)
        and annotation in {ast.unparse(a.annotation) for a in function.node.args.args if a.annotation}
    }


def test_api_views_that_show_guests_or_staff_report_the_shown_records() -> None:
    gets = {
        name
        for name in functions_with_parameter("Request")
        if name.rpartition(".")[2] in {"get", "list", "retrieve"}
    }
    by_number = "reminders.api.reservations.ReservationByNumberView.get"
    # The test would report this view if it did not have the attribute `personal_data`.
    assert by_number in gets
    assert shows_people(by_number)
    assert not records(reached(by_number))
    unreported = {
        name
        for name in gets
        if shows_people(name) and not declares_personal_data(name) and not records(reached(name))
    }
    assert unreported == set()


def test_view_sets_that_show_guests_or_staff_report_the_shown_records() -> None:
    for configuration in ("hotelagent.urls.hotel", "hotelagent.urls.platform"):
        import_module(configuration)  # imports the views
    view_sets = {
        view
        for view in subclasses(HotelAPIView)
        if not view.__module__.startswith("tests.")
        and (queryset := getattr(view, "queryset", None)) is not None
        and identifies_people(queryset.model._meta.db_table)
    }
    assert len(view_sets) >= 3
    assert {view.__name__ for view in view_sets if not view.personal_data} == set()


def test_admin_pages_that_show_guests_or_staff_report_the_shown_records() -> None:
    pages = {
        name
        for name in functions_with_parameter("HttpRequest")
        if name.rpartition(".")[0] == module_of_function(name) and not is_marked(name) and shows_people(name)
    }
    assert "reminders.admin.front_desk.today.guests_of_today" in pages
    assert {name for name in pages if not records(reached(name))} == set()


def test_admin_classes_of_guests_and_staff_use_the_views_that_record_reads() -> None:
    admins: list[ModelAdmin[Any]] = [
        model_admin
        for site in (hotel_site, platform_site)
        for model, model_admin in site._registry.items()
        if identifies_people(model._meta.db_table)
    ]
    assert len(admins) >= 5
    for model_admin in admins:
        assert isinstance(model_admin, HotelModelAdmin)
        assert HotelModelAdmin.changeform_view in {
            vars(base).get("changeform_view") for base in type(model_admin).__mro__
        }
