"""What is kept in no language, and said in the reader's."""

import copy
import json

from django.utils import translation

from hotelagent.core.messages import MOST, Sentence, keep, say
from tenants.errors import DomainError

MSGID = "The channel answered {status}. It will be asked again."


def test_it_is_said_in_each_language_with_its_facts() -> None:
    sentence = DomainError(Sentence(MSGID, status=500)).detail
    assert sentence == "The channel answered 500. It will be asked again."
    kept = json.loads(json.dumps(keep(sentence)))
    with translation.override("es"):
        assert say(kept) == "El canal respondió 500. Se le volverá a preguntar."
    assert say(kept) == sentence


def test_a_fact_with_braces_fills_nothing() -> None:
    sentence = Sentence("This is no iCalendar: {why}", why="{x} {0.__class__}")
    assert say(keep(copy.deepcopy(sentence))) == sentence == "This is no iCalendar: {x} {0.__class__}"


def test_a_fact_may_be_a_sentence_and_what_was_kept_may_become_one() -> None:
    inner = say(keep(Sentence("The rule {rule} has no template.", rule=Sentence("1 day before arrival"))))
    kept = json.loads(
        json.dumps(keep(Sentence("Its window passed. The last answer: {answer}", answer=inner)))
    )
    with translation.override("es"):
        assert say(kept) == (
            "Su plazo pasó. La última respuesta: La regla 1 día antes de la llegada no tiene plantilla."
        )


def test_what_jsonb_refuses_is_kept_without_it() -> None:
    kept = keep(Sentence("It answered {status}.", status="\0\ud800" + "x" * MOST))
    assert say(kept) == f"It answered \N{REPLACEMENT CHARACTER}?{'x' * (MOST - 2)}."
    assert len(say(keep("x" * 10_000))) == MOST


def test_other_texts_are_kept_as_they_are() -> None:
    assert say(keep("100 % {sure}")) == "100 % {sure}"
    assert say(keep("")) == say(None) == ""
    with translation.override("es"):
        assert say(keep("The departure must be after the arrival.")).startswith("La salida")
