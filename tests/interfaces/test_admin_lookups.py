"""Tests that no filter in the URL of an admin list causes a server error."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from django.db import transaction
from django.db.models import BinaryField, DateField, Field, Model
from django.test import Client

from hotelagent.admin.sites import hotel_site, platform_site
from tenants.models import Hotel

pytestmark = pytest.mark.django_db

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


def filters_of(model: type[Model]) -> Iterator[tuple[str, str]]:
    """Yield invalid filters for one field of each type that the model has."""
    fields = [field for field in model._meta.get_fields() if isinstance(field, Field)]
    for field in {type(field): field for field in fields}.values():
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
