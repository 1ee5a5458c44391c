"""Tests of support sessions: the platform's staff act in a hotel for a limited time, visibly, and recorded."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from audit.models import Event
from hotelagent.core.ids import uuid7
from tenants import services, tasks
from tenants.access.support_user import SupportUser
from tenants.context import hotel_context, platform_context
from tenants.errors import HotelStateError, InvalidSupportRequest, SupportLinkNotFound
from tenants.models import ApiKey, DueItem, Hotel, SupportSession, User
from tenants.scopes import HOTEL_SCOPES, Role
from tenants.services.staff import erase_staff
from tenants.support.sessions import open_session, request_session
from tests.conftest import ALPHA_HOST
from tests.servers import MailServer
from tests.tenants.support.conftest import REASON, OpenHotel, link_of

pytestmark = pytest.mark.django_db


def test_platform_staff_open_the_admin_of_a_hotel_with_a_reason(
    operator: Client, eva: User, hotel: Hotel
) -> None:
    link = link_of(operator, hotel)
    assert link.startswith(f"http://{ALPHA_HOST}:")
    browser = Client(SERVER_NAME=ALPHA_HOST)
    assert browser.get("/admin/").status_code == 302
    response = browser.get(link)
    assert (response.status_code, response["Location"]) == (302, "/admin/")
    page = unescape(browser.get("/admin/").content.decode())
    assert "You act as platform support in Hotel Alpha until" in page
    assert REASON in page
    with platform_context():
        session = SupportSession.objects.get()
        assert (session.hotel_id, session.user_id, session.role) == (hotel.id, eva.pk, Role.AUDITOR)
        assert session.expires_at - session.created_at < timedelta(minutes=15, seconds=5)
    with hotel_context(hotel):
        assert not User.objects.exists()


def test_banner_of_the_support_session_is_on_every_kind_of_page(open_hotel: OpenHotel) -> None:
    browser = open_hotel()
    for url in (
        "/admin/",
        "/admin/locks/room/",
        "/admin/locks/room/board/",
        "/admin/tenants/user/",
        "/admin/audit/event/",
        "/admin/nothing/",
        "/admin/tenants/user/add/",
        "/api/docs/",
    ):
        assert "You act as platform support" in browser.get(url).content.decode(), url
    assert "You act as platform support" not in Client(SERVER_NAME=ALPHA_HOST).get("/").content.decode()


def test_support_link_can_be_used_once(operator: Client, hotel: Hotel) -> None:
    link = link_of(operator, hotel)
    assert Client(SERVER_NAME=ALPHA_HOST).get(link).status_code == 302
    again = Client(SERVER_NAME=ALPHA_HOST)
    response = again.get(link)
    assert response.status_code == 404
    assert "This link has expired or was already used." in unescape(response.content.decode())
    assert again.get("/admin/").status_code == 302
    with hotel_context(hotel):
        refused = Event.objects.get(event="support.refused")
        assert refused.get_outcome_display() == "denied"


@pytest.mark.parametrize(("passed", "status"), [(55, 302), (61, 404)])
def test_support_link_is_valid_for_a_minute(operator: Client, hotel: Hotel, passed: int, status: int) -> None:
    link = link_of(operator, hotel)
    with platform_context():
        session = SupportSession.objects.get()
        SupportSession.objects.update(open_until=session.open_until - timedelta(seconds=passed))
    assert Client(SERVER_NAME=ALPHA_HOST).get(link).status_code == status


def test_support_link_of_one_hotel_is_not_valid_at_another_hotel(
    operator: Client, hotel: Hotel, other_hotel: Hotel
) -> None:
    link = link_of(operator, hotel)
    path = link.partition(ALPHA_HOST)[2].partition("/")[2]
    assert Client(SERVER_NAME="beta.localhost").get(f"/{path}").status_code == 404
    assert Client(SERVER_NAME=ALPHA_HOST).get(f"/{path}").status_code == 302


def test_support_link_with_a_changed_token_is_refused(operator: Client, hotel: Hotel) -> None:
    link = link_of(operator, hotel)
    with hotel_context(hotel), pytest.raises(SupportLinkNotFound):
        open_session(link.partition("token=")[2] + "x")
    assert Client(SERVER_NAME=ALPHA_HOST).get(link).status_code == 302


def test_open_support_session_ends_when_it_expires(open_hotel: OpenHotel) -> None:
    browser = open_hotel()
    assert browser.get("/admin/").status_code == 200
    with platform_context():
        SupportSession.objects.update(expires_at=SupportSession.objects.get().created_at)
    response = browser.get("/admin/locks/room/", follow=True)
    assert response.redirect_chain[-1][0] == "/admin/support/ended/"
    assert "Your access as platform support has ended" in response.content.decode()
    assert browser.get("/api/v1/rooms/").status_code == 401


def test_person_who_ends_the_support_session_cannot_continue(open_hotel: OpenHotel, hotel: Hotel) -> None:
    browser = open_hotel()
    stolen = Client(SERVER_NAME=ALPHA_HOST)
    stolen.cookies = browser.cookies.copy()  # type: ignore[assignment]
    assert stolen.get("/admin/").status_code == 200
    assert browser.post("/admin/support/end/")["Location"] == "/admin/support/ended/"
    assert browser.get("/admin/").status_code == 302
    assert stolen.get("/admin/").status_code == 302
    with platform_context():
        assert SupportSession.objects.get().ended_at is not None


def test_deactivated_platform_account_ends_its_support_sessions(open_hotel: OpenHotel, eva: User) -> None:
    browser = open_hotel()
    assert browser.get("/admin/").status_code == 200
    with platform_context():
        eva.is_active = False
        eva.save()
    assert browser.get("/admin/").status_code == 302


def test_support_session_as_auditor_changes_nothing_and_as_manager_no_accounts_or_keys(
    open_hotel: OpenHotel, hotel: Hotel
) -> None:
    room = {"number": "101", "room_type": "Standard", "floor": "1"}
    auditor = open_hotel()
    assert auditor.get("/admin/locks/room/").status_code == 200
    assert auditor.post("/admin/locks/room/add/", room).status_code == 403
    manager = open_hotel(role=Role.MANAGER)
    assert manager.get("/admin/locks/room/add/").status_code == 200
    for url, values in {
        "/admin/tenants/user/add/": {
            "username": "eve",
            "role": "manager",
            "password1": "x",
            "password2": "x",
        },
        "/admin/tenants/apikey/add/": {"name": "eve", "scopes": "rooms:read", "lifetime": ""},
        "/admin/password_change/": {},
    }.items():
        assert manager.get(url).status_code == 403, url
        assert manager.post(url, values).status_code == 403, url
    with hotel_context(hotel):
        assert not User.objects.exists()
        assert not ApiKey.objects.exists()


def test_roles_of_support_sessions_never_contain_the_scope_for_accounts_and_keys() -> None:
    user = SupportUser(uuid7(), "Hotel", uuid7(), "eva", Role.MANAGER, "x", timezone.now())
    assert user.scopes == frozenset(HOTEL_SCOPES) - {"staff:write"}


def test_events_of_the_support_session_name_the_person_as_the_initiator(
    open_hotel: OpenHotel, hotel: Hotel, eva: User
) -> None:
    browser = open_hotel(role=Role.MANAGER)
    browser.get("/admin/tenants/user/")
    with hotel_context(hotel):
        User.objects.create_user(username="ana", password=None, role=Role.MANAGER)
    browser.get("/admin/tenants/user/")
    with platform_context():
        session = SupportSession.objects.get()
    with hotel_context(hotel):
        event = Event.objects.get(event="personal_data.read")
        assert (event.actor_kind, event.actor_id) == ("support", str(session.id))
        assert (event.initiator_kind, event.initiator_id) == ("user", str(eva.pk))
        assert event.description.startswith("operator (platform) viewed 1 record with")


def test_both_trails_record_the_request_the_opening_and_the_end_of_a_support_session(
    open_hotel: OpenHotel, hotel: Hotel, eva: User
) -> None:
    open_hotel().post("/admin/support/end/")
    recorded = ["support.requested", "support.opened", "support.ended"]
    for context in (platform_context(), hotel_context(hotel)):
        with context:
            events = list(Event.objects.filter(event__startswith="support.").order_by("id"))
            assert [event.event for event in events] == recorded
            assert {event.initiator_id for event in events} == {str(eva.pk)}
            assert events[0].fields["reason"] == REASON
            assert (
                "operator (platform) requested access to the hotel alpha as auditor" in events[0].description
            )


def test_erased_platform_staff_member_is_erased_from_the_trails_of_hotels(
    open_hotel: OpenHotel, hotel: Hotel, eva: User
) -> None:
    open_hotel()
    with hotel_context(hotel):
        assert "operator" in str(list(Event.objects.values_list("personal", flat=True)))
    with platform_context():
        erase_staff(user_id=eva.pk)
    with hotel_context(hotel):
        stored = str(
            list(Event.objects.filter(event__startswith="support.").values_list("personal", flat=True))
        )
        assert "operator" not in stored
        assert "127.0.0.1" not in stored


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"reason": "  "}, "This field is required."), ({"minutes": "600"}, "Select a valid choice"),
     ({"role": "front_desk"}, "Select a valid choice"), ({"reason": "x" * 501}, "at most 500 characters")],
)  # fmt: skip
def test_support_request_without_a_valid_reason_duration_or_role_is_refused(
    operator: Client, hotel: Hotel, changes: dict[str, str], message: str
) -> None:
    values = {"reason": REASON, "minutes": "15", "role": "auditor", **changes}
    response = operator.post(f"/admin/tenants/hotel/{hotel.id}/support/", values)
    assert message in unescape(response.content.decode())
    with platform_context():
        assert not SupportSession.objects.exists()


def test_service_refuses_support_sessions_with_values_that_the_form_does_not_offer(
    eva: User, hotel: Hotel
) -> None:
    for changes in ({"minutes": 61}, {"role": Role.FRONT_DESK}, {"reason": " "}):
        values: dict[str, Any] = {"reason": "x", "minutes": 15, "role": Role.AUDITOR, **changes}
        with pytest.raises(InvalidSupportRequest):
            request_session(hotel_id=hotel.id, person=eva, **values)


def test_suspended_hotel_cannot_be_opened(operator: Client, eva: User, hotel: Hotel) -> None:
    link = link_of(operator, hotel)
    services.suspend_hotel(hotel_id=hotel.id)
    with pytest.raises(HotelStateError):
        request_session(hotel_id=hotel.id, person=eva, reason="x", minutes=15, role=Role.AUDITOR)
    response = operator.post(
        f"/admin/tenants/hotel/{hotel.id}/support/", {"reason": "x", "minutes": "15", "role": "auditor"}
    )
    assert "an active hotel only" in response.content.decode()
    assert Client(SERVER_NAME=ALPHA_HOST).get(link).status_code == 503
    services.resume_hotel(hotel_id=hotel.id)
    assert Client(SERVER_NAME=ALPHA_HOST).get(link).status_code == 302


def test_managers_get_an_e_mail_about_the_support_session_in_their_language(
    open_hotel: OpenHotel, hotel: Hotel, smtp: MailServer
) -> None:
    with hotel_context(hotel):
        for name, language in (("ana", "es"), ("ben", "en")):
            User.objects.create_user(
                username=name, password=None, role=Role.MANAGER, email=f"{name}@a.example", language=language
            )
        User.objects.create_user(username="carl", password=None, role=Role.AUDITOR, email="carl@a.example")
    open_hotel()
    with platform_context():
        ids = [
            str(id_)
            for id_ in DueItem.objects.filter(kind="support_notice").values_list("item_id", flat=True)
        ]
    assert len(ids) == 1
    with hotel_context(hotel):
        tasks.send_support_notices(ids)
    [english] = smtp.to("ben@a.example")
    body = english.get_body(("plain",))
    assert body is not None
    assert english["Subject"] == "Platform support opened the back office of Hotel Alpha"
    assert REASON in body.get_content()
    assert "operator of the platform's staff" in body.get_content()
    [spanish] = smtp.to("ana@a.example")
    assert spanish["Subject"].strip() == "El soporte de la plataforma abrió la administración de Hotel Alpha"
    assert smtp.to("carl@a.example") == []
    with platform_context():
        assert not DueItem.objects.filter(kind="support_notice").exists()
