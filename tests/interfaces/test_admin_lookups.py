"""Tests that no filter in the URL of an admin list causes a server error.

The suite filters each list by one field, and one list by each type of field. With the environment variable PAGES=all,
which `make pages` sets, the tests filter each list by one field of each type that the model has.
"""

import os
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.db import transaction
from django.db.models import BinaryField, DateField, Field, Model
from django.test import Client

from hotelagent.admin.sites import hotel_site, platform_site
from tenants.models import Hotel

pytestmark = [pytest.mark.pages, pytest.mark.django_db]

ALL = os.environ.get("PAGES") == "all"
MANY_DIGITS = "9" * 30
#: Filters that a person, a script or a search engine could put into a URL.
BINARY_FILTERS = (("gt", "a"), ("exact", "\N{GRINNING FACE}"), ("isnull", "x"), ("contains", "a"))
DATE_FILTERS = (
    ("year", "99999"),
    ("year__gte", MANY_DIGITS),
    ("month", "-1"),
    ("gte", "99999-01-01"),
    ("range", "0001-01-01"),
)
OTHER_FILTERS = (("exact", MANY_DIGITS), ("gt", "a\0b"), ("in", "1,x"), ("isnull", "null"))


def fields_by_type(model: type[Model]) -> dict[type[Any], Any]:
    """Return one field of each type that the model has."""
    return {type(field): field for field in model._meta.get_fields() if isinstance(field, Field)}


#: Maps each type of field in the admin to the model whose list the suite filters by a field of this type.
EXAMPLES = {
    type_: model
    for model in [*hotel_site._registry, *platform_site._registry]
    for type_ in fields_by_type(model)
}


def filters_of(model: type[Model]) -> Iterator[tuple[str, str]]:
    """Yield invalid filters for one field of each type that the model has. The suite leaves most of the types out."""
    for number, (type_, field) in enumerate(fields_by_type(model).items()):
        if not ALL and number and EXAMPLES[type_] is not model:
            continue
        is_binary, is_date = isinstance(field, BinaryField), isinstance(field, DateField)
        filters = BINARY_FILTERS if is_binary else DATE_FILTERS if is_date else OTHER_FILTERS
        for lookup, value in filters:
            yield f"{field.name}__{lookup}", value


def server_errors(client: Client, model: type[Model]) -> dict[tuple[str, str], str]:
    """Return the filters that cause a server error on the model's list page, with the error of each filter."""
    client.raise_request_exception = False
    failed = {}
    for name, value in filters_of(model):
        with transaction.atomic():
            url = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            response = client.get(url, {name: value})
            if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                failed[name, value] = repr(getattr(response, "exc_info", [None, None])[1])[:100]
            transaction.set_rollback(
                True
            )  # After an error, PostgreSQL refuses statements until the rollback.
    return failed


def test_filters_of_all_lists_include_each_type_of_field() -> None:
    filtered = {
        type(model._meta.get_field(name.partition("__")[0]))
        for model in [*hotel_site._registry, *platform_site._registry]
        for name, _value in filters_of(model)
    }
    assert filtered == EXAMPLES.keys()


def models_of(site: Any) -> list[Any]:
    return [pytest.param(model, id=model._meta.label) for model in site._registry]


@pytest.mark.parametrize("model", models_of(hotel_site))
def test_hotel_admin_list_with_an_invalid_filter_is_not_a_server_error(
    staff: Client, model: type[Model]
) -> None:
    assert not server_errors(staff, model)


@pytest.mark.parametrize("model", models_of(platform_site))
def test_platform_admin_list_with_an_invalid_filter_is_not_a_server_error(
    operator: Client, hotel: Hotel, model: type[Model]
) -> None:
    assert not server_errors(operator, model)


def test_admin_list_cannot_be_filtered_by_the_digest_of_an_api_key(staff: Client, hotel: Hotel) -> None:
    assert staff.get("/admin/tenants/apikey/", {"prefix__gt": "a"}).status_code == HTTPStatus.OK
    assert staff.get("/admin/tenants/apikey/", {"digest__gt": "a"}).status_code == HTTPStatus.BAD_REQUEST
