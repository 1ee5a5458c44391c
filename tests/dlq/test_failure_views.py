"""Tests of the views of the admin list of failures, which opens on the failures that need a decision."""

import re
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.utils import translation

from dlq.admin.searches import FailureViews
from dlq.models import DECISION_STATUSES, Failure, FailureStatus
from tenants.context import hotel_context
from tenants.database.connections import direct_connection
from tenants.models import Hotel, User
from tests.browser import PHONE, OpenPage, fits_width, screenshot
from tests.dlq.conftest import Lamp, capture_failure, reload

pytestmark = pytest.mark.django_db

LIST = "/admin/dlq/failure/"
CLOSED = ["discarded", "resolved"]
ALL = sorted(FailureStatus.values)


@pytest.fixture
def failures(hotel: Hotel, lamp: Lamp) -> dict[str, Failure]:
    """Store one failure with each status, and return the failures by status."""
    with hotel_context(hotel):
        found = {status: capture_failure(number=status) for status in FailureStatus.values}
        for status, failure in found.items():
            Failure.objects.filter(id=failure.id).update(status=status)
        return found


def listed(client: Client, query: str) -> list[str]:
    response = client.get(LIST + query)
    assert response.status_code == 200
    return sorted(failure.status for failure in response.context["cl"].result_list)


@pytest.mark.parametrize(
    ("query", "statuses"),
    [
        ("", ["in_doubt", "permanent"]),
        ("?view=decision", ["in_doubt", "permanent"]),
        ("?view=nonsense", ["in_doubt", "permanent"]),
        ("?view=retrying", ["retrying", "scheduled"]),
        ("?view=done", CLOSED),
        ("?view=all", ALL),
        ("?q=current", ALL),
        ("?view=decision&q=current", ["in_doubt", "permanent"]),
        ("?status__exact=scheduled", ["scheduled"]),
        ("?view=decision&status__exact=scheduled", ["scheduled"]),
        ("?view=decision&status__exact=&name=", ["in_doubt", "permanent"]),
    ],
)
def test_failure_list_contains_the_failures_of_the_selected_view(
    staff: Client, failures: dict[str, Failure], query: str, statuses: list[str]
) -> None:
    assert listed(staff, query) == statuses


def test_group_link_of_alerts_lists_failures_of_all_views(
    staff: Client, failures: dict[str, Failure]
) -> None:
    assert listed(staff, f"?fingerprint={failures['resolved'].fingerprint}") == ALL


def test_tabs_of_the_failure_list_mark_the_view_and_drop_the_filter_by_status(
    staff: Client, failures: dict[str, Failure]
) -> None:
    assert (
        '<a href="?view=decision" aria-current="page">Need a decision</a>' in staff.get(LIST).content.decode()
    )
    page = staff.get(f"{LIST}?status__exact=resolved").content.decode()
    assert '<a href="?view=all" aria-current="page">All failures</a>' in page
    assert '<a href="?view=decision">Need a decision</a>' in page


def test_redrive_link_and_export_cover_the_failures_of_the_displayed_view(
    staff: Client, failures: dict[str, Failure]
) -> None:
    html = unescape(staff.get(LIST).content.decode())
    [url] = re.findall(r'href="(/admin/dlq/redrive/start/[^"]*)"', html)
    page = staff.get(url).content.decode()
    assert "<b>2</b> open failures match." in page
    assert "status: needs a decision, outcome unknown" in page
    assert (
        "<b>4</b> open failures match."
        in staff.get(url.replace("view=decision", "view=all")).content.decode()
    )
    response = staff.get(f"{LIST}export/jsonl/")
    exported = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert len(exported.splitlines()) == 2


def test_action_on_a_failure_that_has_left_the_view_shows_the_error(
    staff: Client, hotel: Hotel, failures: dict[str, Failure]
) -> None:
    body = {
        "action": "retry",
        "_selected_action": [str(failures["resolved"].id), str(failures["permanent"].id)],
    }
    page = staff.post(LIST, body, follow=True).content.decode()
    assert "The status of this failure is done" in page
    assert "1 failure will be retried" in page
    with hotel_context(hotel):
        assert reload(failures["permanent"]).status == "scheduled"


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ["Need a decision", "needs a decision", "outcome unknown"]),
        ("es", ["Requieren una decisión", "requiere una decisión", "resultado desconocido"]),
    ],
)
def test_failure_list_shows_statuses_in_the_words_of_hotel_staff(
    staff: Client, hotel: Hotel, failures: dict[str, Failure], language: str, words: list[str]
) -> None:
    page = staff.get(LIST, headers={"Accept-Language": language}).content.decode()
    assert [word for word in words if word not in page] == []
    assert "permanent<" not in page


def test_statuses_and_views_have_portuguese_words() -> None:
    with translation.override("pt"):
        assert str(FailureStatus.PERMANENT.label) == "requer uma decisão"
        assert [str(label) for _code, label in FailureViews.views] == [
            "Requerem uma decisão", "Em nova tentativa", "Concluídas", "Todas as falhas",
        ]  # fmt: skip


def test_empty_views_of_failures_and_groups_lead_to_all_failures(staff: Client, in_hotel: Hotel) -> None:
    for path in (LIST, "/admin/dlq/failuregroup/"):
        page = staff.get(path).content.decode()
        assert "No failure needs a decision. There is nothing to do." in page
        assert f'href="{path}?view=all"' in page
        assert "There are no failures." in staff.get(f"{path}?view=all").content.decode()
    redrives = staff.get("/admin/dlq/redrive/").content.decode()
    assert "There are no redrives yet." in redrives
    assert f'href="{LIST}"' in redrives


_CLOSED_COPIES = """
INSERT INTO dlq_failure SELECT (jsonb_populate_record(failure, jsonb_build_object(
    'id', tenants_uuid7(), 'work_key', number::text, 'status', 'resolved'))).*
FROM dlq_failure AS failure, generate_series(1, 5000) AS number WHERE failure.status = 'permanent'
"""


@pytest.mark.django_db(transaction=True)
def test_view_that_the_list_opens_on_reads_an_index_and_no_closed_failures(
    hotel: Hotel, failures: dict[str, Failure]
) -> None:
    shown = Failure.objects.filter(status__in=DECISION_STATUSES).order_by("-id")[:50]
    with direct_connection(), hotel_context(hotel), connection.cursor() as cursor:
        cursor.execute(_CLOSED_COPIES)
        cursor.execute("ANALYZE dlq_failure")
        plan = shown.explain(analyze=True)
        assert "dlq_failure_decision" in plan
        assert "Rows Removed by Filter" not in plan
        # The control: without the index, the query reads the newer closed failures.
        cursor.execute("DROP INDEX dlq_failure_decision")
        cursor.execute("DROP INDEX dlq_failure_work_key")
        assert int(re.findall(r"Rows Removed by Filter: (\d+)", shown.explain(analyze=True))[0]) >= 5000


@pytest.mark.django_db(transaction=True)
def test_views_of_failures_fit_the_screen_in_spanish(
    open_as_manager: OpenPage, hotel: Hotel, failures: dict[str, Failure]
) -> None:
    with open_as_manager(LIST) as page:
        screenshot(page, "failures-desktop")
        page.goto("/admin/dlq/failuregroup/")
        screenshot(page, "groups-desktop")
    with hotel_context(hotel):
        User.objects.update(language="es")
    with open_as_manager(LIST, **PHONE, locale="es") as page:
        for path, name in (
            (LIST, "failures"),
            ("/admin/dlq/failuregroup/", "groups"),
            (f"{LIST}?view=all", "all"),
        ):
            page.goto(path)
            assert page.get_by_role("link", name="Terminados").is_visible()
            assert fits_width(page)
            screenshot(page, f"{name}-es-phone")
