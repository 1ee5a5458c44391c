"""Tests of the registration of audit event types, and of event descriptions in the user's language."""

import pytest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from audit import checks, registry
from audit.errors import EventTypeConflict, EventTypeNotFound, InvalidEventFields, InvalidEventType
from audit.events import HOTEL_RENAMED, OBJECT_CHANGED, PERSONAL_DATA_READ
from dlq.events import CORRECTED
from locks.events import ROOM_CHANGED, ROOMS_ADDED
from reminders.events import RESERVATION_CHANGED


@pytest.fixture(autouse=True)
def empty_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_types", {})


def test_event_type_with_an_existing_name_raises_event_type_conflict() -> None:
    registry.register("lamp.lit", description="{actor} lit it")
    with pytest.raises(EventTypeConflict):
        registry.register("lamp.lit", description="{actor} lit it again")


@pytest.mark.parametrize("name", ["lamp", "Lamp.lit", "lamp lit", "lamp.", ".lit", "lamp.lit!"])
def test_event_type_with_an_invalid_name_raises_invalid_event_type(name: str) -> None:
    with pytest.raises(InvalidEventType):
        registry.register(name, description="")


@pytest.mark.parametrize("field", ["actor", "initiator", "subject", "event", "cut"])
def test_event_type_with_a_reserved_field_raises_invalid_event_type(field: str) -> None:
    with pytest.raises(InvalidEventType, match=field):
        registry.register("lamp.lit", description="", fields=(field,))


def test_event_type_with_a_plain_and_a_personal_field_of_the_same_name_is_invalid() -> None:
    with pytest.raises(InvalidEventType, match="only one"):
        registry.register("lamp.lit", description="", fields=("room",), personal=("room",))


@pytest.mark.parametrize("earlier", [{}, {1: "a", 2: "b"}, {2: "b"}])
def test_event_type_that_lacks_the_description_of_an_earlier_version_is_invalid(
    earlier: dict[int, str],
) -> None:
    with pytest.raises(InvalidEventType, match="each version before 2"):
        registry.register("lamp.lit", description="", version=2, earlier=earlier)


def test_event_of_an_earlier_type_version_keeps_its_earlier_description() -> None:
    lit = registry.register(
        "lamp.lit",
        description="{actor} lit {lamp}",
        fields=("lamp",),
        version=2,
        earlier={1: "{actor} lit the lamp in {room}"},
    )
    assert lit.describe(actor="Ana", subject="", data={"room": 7}, version=1) == "Ana lit the lamp in 7"
    assert lit.describe(actor="Ana", subject="", data={"lamp": 3}, version=2) == "Ana lit 3"


def test_unknown_event_type_name_raises_event_type_not_found() -> None:
    with pytest.raises(EventTypeNotFound):
        registry.get("lamp.lit")


@pytest.mark.parametrize("fields", [{}, {"room": 1, "colour": "red"}, {"colour": "red"}])
def test_missing_or_unknown_event_fields_raise_invalid_event_fields(
    fields: dict[str, object],
) -> None:
    lit = registry.register("lamp.lit", description="", fields=("room",))
    with pytest.raises(InvalidEventFields, match=r"lamp\.lit"):
        lit.check_fields(fields)


def test_event_description_is_in_the_active_language() -> None:
    lit = registry.register("lamp.lit", description=_("English"))
    with override("es"):
        assert lit.describe(actor="", subject="", data={}) == "Inglés"
    with override("en"):
        assert lit.describe(actor="", subject="", data={}) == "English"


def test_event_description_shows_labels_in_the_active_language_instead_of_codes() -> None:
    lit = registry.register(
        "lamp.lit", description="{language}", fields=("language",), labels={"language": {"en": _("English")}}
    )
    with override("es"):
        assert lit.describe(actor="", subject="", data={"language": "en"}) == "Inglés"
        assert lit.describe(actor="", subject="", data={"language": "xx"}) == "xx"


def test_event_description_formats_times_for_the_active_language_and_time_zone() -> None:
    lit = registry.register(
        "lamp.lit", description="{on} to {off}, {rooms}, {code}", fields=("on", "off", "rooms", "code")
    )
    data = {
        "on": "2030-05-01",
        "off": "2030-05-01T22:30:00.5Z",
        "rooms": ["101", "102"],
        "code": "2030-05-99",
    }
    with timezone.override("Europe/Madrid"), override("es"):
        text = lit.describe(actor="", subject="", data=data)
    assert text == "1 may 2030 to 2 may 2030, 00:30, 101, 102, 2030-05-99"


def test_event_description_shows_a_question_mark_for_a_missing_field() -> None:
    lit = registry.register("lamp.lit", description="{actor} lit {room} {colour}", fields=("room", "colour"))
    assert lit.describe(actor="Ana", subject="", data={"room": 7}) == "Ana lit 7 ?"


def test_event_description_does_not_replace_placeholders_in_field_values() -> None:
    lit = registry.register("lamp.lit", description="{actor} lit {room}", fields=("room",))
    assert (
        lit.describe(actor="{room}", subject="", data={"room": "{actor.__class__}"})
        == "{room} lit {actor.__class__}"
    )


def test_system_check_reports_an_event_description_with_an_unknown_placeholder() -> None:
    registry.register("lamp.lit", description="{actor} lit {subject} {room} {colour}", fields=("room",))
    errors = checks.check_description_placeholders(app_configs=None)
    assert {error.id for error in errors} == {"audit.E001"}
    assert "colour" in errors[0].msg
    assert "room" not in errors[0].msg


def test_event_description_escapes_characters_that_could_hide_or_reorder_text() -> None:
    lit = registry.register("lamp.lit", description="{actor} lit {subject}: {reason}", personal=("reason",))
    text = lit.describe(
        actor="A\u202ena", subject="\x1b[2Jlamp", data={"reason": "ok\r\n{actor} left \u2066\U000e0041"}
    )
    assert text == r"A\u202ena lit \u001b[2Jlamp: ok\u000d\u000a{actor} left \u2066\U000e0041"
    assert text.isprintable()


@pytest.mark.parametrize(
    ("language", "count", "text"),
    [
        ("en", 1, "ana added 1 room"),
        ("en", 2, "ana added 2 rooms"),
        ("en", 0, "ana added 0 rooms"),
        ("es", 1, "ana añadió 1 habitación"),
        ("es", 2, "ana añadió 2 habitaciones"),
        ("en", "?", "ana added ? rooms"),
    ],
)
def test_event_description_has_the_plural_form_of_its_number(language: str, count: object, text: str) -> None:
    with override(language):
        assert ROOMS_ADDED.describe(actor="ana", subject="", data={"count": count}) == text


def test_event_description_shows_names_of_fields_instead_of_codes_and_objects() -> None:
    def describe(event_type: registry.EventType, subject: str, **data: object) -> str:
        return event_type.describe(actor="ana", subject=f"{subject} 7", data=data)

    with override("es"):
        assert describe(OBJECT_CHANGED, "rule", changed=["name", "unknown"]).endswith(": nombre, unknown")
        changed = describe(RESERVATION_CHANGED, "reservation", number="R1", changed="arrival, guest_name")
        assert changed.endswith(": llegada, huésped")
        assert describe(ROOM_CHANGED, "room", number="101", changes={"floor": 3}).endswith(": planta: 3")
        read = describe(PERSONAL_DATA_READ, "reservation", kind="reservation", count=1)
        assert read == "ana consultó 1 registro con datos personales (reservas)"
        corrected = describe(CORRECTED, "failure", name="x", fields=["/to", "/other"])
        assert corrected.endswith(": dirección de correo, /other")
    renamed = describe(HOTEL_RENAMED, "hotel", slug="new", detail={"before": "old", "after": "new"})
    assert renamed == "ana renamed the hotel new (before: old, after: new)"
