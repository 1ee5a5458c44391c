"""Tests of signed notes, with the examples of the signed-note specification and of the Go package `sumdb/note`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.transparency.errors import InvalidKey, InvalidNote, InvalidSignature, SignatureNotFound
from audit.transparency.notes import PrivateKey, PublicKey, open_note, sign_note

# The example in the documentation of the Go package golang.org/x/mod/sumdb/note.
GO_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
GO_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
GO_NOTE = f"{GO_TEXT}\n— PeterNeumann {GO_SIGNATURE}\n"

KEY = PrivateKey.generate("hotels.example/audit")
OTHER = PrivateKey.generate("hotels.example/audit")


def test_example_note_of_the_go_documentation_is_signed_and_verified() -> None:
    assert sign_note(GO_TEXT, [PrivateKey.parse(GO_PRIVATE)]) == GO_NOTE
    assert open_note(GO_NOTE, [PublicKey.parse(GO_PUBLIC)]) == (GO_TEXT, [PublicKey.parse(GO_PUBLIC)])
    assert PrivateKey.parse(GO_PRIVATE).public.text == GO_PUBLIC
    assert PrivateKey.parse(f"{GO_PRIVATE}\n").text == GO_PRIVATE


def test_note_with_two_signatures_is_verified_with_each_of_the_two_keys() -> None:
    note = sign_note("text\n", [KEY, OTHER])
    assert note.count("\n— hotels.example/audit ") == 2
    assert open_note(note, [KEY.public]) == ("text\n", [KEY.public])
    assert open_note(note, [OTHER.public]) == ("text\n", [OTHER.public])
    assert open_note(note, [OTHER.public, KEY.public])[1] == [KEY.public, OTHER.public]


def test_note_text_may_have_empty_lines() -> None:
    note = sign_note("first\n\n— second\n", [KEY])
    assert open_note(note, [KEY.public])[0] == "first\n\n— second\n"


def test_note_with_only_an_unknown_signature_is_refused() -> None:
    with pytest.raises(SignatureNotFound, match=rf"signed by {OTHER.public.name}\+{OTHER.public.id.hex()}"):
        open_note(sign_note("text\n", [OTHER]), [KEY.public])
    with pytest.raises(SignatureNotFound):
        open_note(sign_note("text\n", [KEY]), [])


def test_note_is_refused_if_its_key_name_differs_from_the_known_key_name() -> None:
    renamed = PublicKey("other.example", KEY.public.raw)
    with pytest.raises(SignatureNotFound):
        open_note(sign_note("text\n", [KEY]), [renamed])


def test_note_with_a_wrong_and_a_correct_signature_is_refused() -> None:
    wrong = KEY.signature_line("another text\n")
    note = "text\n\n" + OTHER.signature_line("text\n") + wrong
    with pytest.raises(InvalidSignature):
        open_note(note, [KEY.public, OTHER.public])
    assert open_note(note, [OTHER.public])[1] == [OTHER.public]


@given(st.integers(0, len(GO_NOTE) - 1), st.characters())
def test_note_with_a_changed_character_is_refused(place: int, character: str) -> None:
    changed = GO_NOTE[:place] + character + GO_NOTE[place + 1 :]
    if changed != GO_NOTE:
        with pytest.raises(InvalidNote):
            open_note(changed, [PublicKey.parse(GO_PUBLIC)])


@pytest.mark.parametrize(
    "note",
    [
        "",
        "text\n",
        "text\n\n",
        GO_NOTE[:-1],
        GO_NOTE + "\n",
        GO_NOTE.replace("\n", "\r\n"),
        GO_NOTE.replace("— ", "- "),
        GO_NOTE.replace("— PeterNeumann", "— "),
        GO_NOTE.replace("AM=\n", "AM\n"),
        GO_NOTE.replace("AM=\n", "AN=\n"),
        GO_NOTE.replace("problem", "problem\x00"),
        GO_NOTE.replace("problem", "problem\ud800"),
        GO_NOTE + "— PeterNeumann AAAA\n",
        GO_TEXT + "\n" + GO_NOTE.rpartition("\n\n")[2] * 101,
    ],
)
def test_malformed_note_is_refused(note: str) -> None:
    with pytest.raises(InvalidNote):
        open_note(note, [PublicKey.parse(GO_PUBLIC)])


@pytest.mark.parametrize("text", ["", "no newline", "tab\t\n", "escape\x1b\n", "return\r\n", "\ud800\n"])
def test_text_with_control_characters_or_without_a_final_newline_is_not_signed(text: str) -> None:
    with pytest.raises(InvalidNote):
        sign_note(text, [KEY])


def test_signing_a_note_without_a_key_is_refused() -> None:
    with pytest.raises(InvalidNote, match="at least one signature"):
        sign_note("text\n", [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+c74f20a3",
        GO_PUBLIC.replace("c74f20a3", "c74f20a4"),
        GO_PUBLIC.replace("c74f20a3", "C74F20A3"),
        GO_PUBLIC.replace("PeterNeumann", "Peter Neumann"),
        GO_PUBLIC.replace("PeterNeumann", ""),
        GO_PUBLIC.replace("10TW", "10T"),
        GO_PUBLIC.replace("+ARpc", "+Ahpc"),
        GO_PUBLIC + "AAAA",
    ],
)
def test_malformed_public_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        PublicKey.parse(text)


@pytest.mark.parametrize(
    "text",
    ["", GO_PUBLIC, GO_PRIVATE[:-4], GO_PRIVATE[:-1] + "y", GO_PRIVATE.replace("c74f20a3", "c74f20a4")],
)
def test_malformed_private_key_is_refused_without_showing_the_key(text: str) -> None:
    with pytest.raises(InvalidKey) as error:
        PrivateKey.parse(text)
    assert "AYEKFALVFGyNhPJEMzD1QIDr" not in repr(error.getrepr(showlocals=False))


@pytest.mark.parametrize("name", ["", "two words", "one+one", "line\n", "non\u2003breaking", "bell\x07"])
def test_key_name_with_forbidden_characters_is_refused(name: str) -> None:
    with pytest.raises(InvalidKey):
        PrivateKey.generate(name)


def test_text_representation_of_a_private_key_does_not_contain_the_secret() -> None:
    key = PrivateKey.parse(GO_PRIVATE)
    assert "AYEKFALVFGyNhPJEMzD1QIDr" not in f"{key!r} {key}"
