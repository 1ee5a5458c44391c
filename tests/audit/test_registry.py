import pytest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from audit import checks, registry
from audit.errors import EventTypeConflict, EventTypeNotFound, InvalidEventFields, InvalidEventType


@pytest.fixture(autouse=True)
def _registry_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_types", {})


def test_it_refuses_a_second_type_of_the_same_name() -> None:
    registry.register("lamp.lit", sentence="{actor} lit it")
    with pytest.raises(EventTypeConflict):
        registry.register("lamp.lit", sentence="{actor} lit it again")


@pytest.mark.parametrize("name", ["lamp", "Lamp.lit", "lamp lit", "lamp.", ".lit", "lamp.lit!"])
def test_it_refuses_a_name_that_is_not_a_thing_and_what_happened_to_it(name: str) -> None:
    with pytest.raises(InvalidEventType):
        registry.register(name, sentence="")


@pytest.mark.parametrize("field", ["actor", "subject", "event"])
def test_it_refuses_a_field_that_has_a_place_of_its_own(field: str) -> None:
    with pytest.raises(InvalidEventType, match=field):
        registry.register("lamp.lit", sentence="", fields=(field,))


@pytest.mark.parametrize("field", ["guest_name", "email", "phone"])
def test_it_refuses_personal_data_for_it_could_never_be_erased(field: str) -> None:
    with pytest.raises(InvalidEventType, match="personal"):
        registry.register("lamp.lit", sentence="", fields=(field,))


def test_it_does_not_know_what_nobody_registered() -> None:
    with pytest.raises(EventTypeNotFound):
        registry.get("lamp.lit")


@pytest.mark.parametrize("given", [{}, {"room": 1, "colour": "red"}, {"colour": "red"}])
def test_it_takes_exactly_the_registered_fields(given: dict[str, object]) -> None:
    lit = registry.register("lamp.lit", sentence="", fields=("room",))
    with pytest.raises(InvalidEventFields, match=r"lamp\.lit"):
        lit.check_fields(given)


def test_a_sentence_is_translated_when_it_is_read() -> None:
    spoken = registry.register("lamp.lit", sentence=_("English"))
    with override("es"):
        assert spoken.render(actor="", subject="", data={}) == "Inglés"
    with override("en"):
        assert spoken.render(actor="", subject="", data={}) == "English"


def test_a_code_reads_as_its_words_in_the_readers_language() -> None:
    lit = registry.register(
        "lamp.lit", sentence="{language}", fields=("language",), words={"language": {"en": _("English")}}
    )
    with override("es"):
        assert lit.render(actor="", subject="", data={"language": "en"}) == "Inglés"
        assert lit.render(actor="", subject="", data={"language": "xx"}) == "xx"


def test_days_and_moments_read_as_the_reader_writes_them() -> None:
    lit = registry.register(
        "lamp.lit", sentence="{on} to {off}, {rooms}, {code}", fields=("on", "off", "rooms", "code")
    )
    data = {
        "on": "2030-05-01",
        "off": "2030-05-01T22:30:00.5Z",
        "rooms": ["101", "102"],
        "code": "2030-05-99",
    }
    with timezone.override("Europe/Madrid"), override("es"):
        shown = lit.render(actor="", subject="", data=data)
    assert shown == "1 may 2030 to 2 may 2030, 00:30, 101, 102, 2030-05-99"


def test_an_older_event_that_lacks_a_field_still_reads() -> None:
    lit = registry.register("lamp.lit", sentence="{actor} lit {room} {colour}", fields=("room", "colour"))
    assert lit.render(actor="Ana", subject="", data={"room": 7}) == "Ana lit 7 ?"


def test_what_stands_in_the_data_is_not_taken_for_a_sentence() -> None:
    lit = registry.register("lamp.lit", sentence="{actor} lit {room}", fields=("room",))
    assert (
        lit.render(actor="{room}", subject="", data={"room": "{actor.__class__}"})
        == "{room} lit {actor.__class__}"
    )


def test_the_check_finds_a_sentence_that_uses_what_the_event_does_not_carry() -> None:
    registry.register("lamp.lit", sentence="{actor} lit {subject} {room} {colour}", fields=("room",))
    found = checks.sentences_use_what_events_carry(app_configs=None)
    assert {problem.id for problem in found} == {"audit.E001"}
    assert "colour" in found[0].msg
    assert "room" not in found[0].msg
