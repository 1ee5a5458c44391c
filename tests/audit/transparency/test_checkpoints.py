"""Tests of checkpoints: signed statements about the size and the root hash of a transparency log."""

import pytest

from audit.transparency.checkpoints import Checkpoint, open_checkpoint, parse_checkpoint, sign_checkpoint
from audit.transparency.errors import InvalidCheckpoint, SignatureNotFound
from audit.transparency.notes import PrivateKey

# The example checkpoint in the specification (https://c2sp.org/tlog-checkpoint).
TEXT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
CHECKPOINT = Checkpoint(
    "example.com/behind-the-sofa",
    20852163,
    bytes.fromhex("0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"),
)
KEY = PrivateKey.generate("example.com/behind-the-sofa")


def test_example_checkpoint_of_the_specification_is_parsed_and_written() -> None:
    assert parse_checkpoint(TEXT) == CHECKPOINT
    assert CHECKPOINT.text == TEXT


def test_checkpoint_may_have_extension_lines() -> None:
    text = TEXT + "one\ntwo words\u2028\n"
    assert parse_checkpoint(text).extensions == ("one", "two words\u2028")
    assert parse_checkpoint(text).text == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT[:-1],
        TEXT + "\n",
        TEXT.replace("20852163", "020852163"),
        TEXT.replace("20852163", "-1"),
        TEXT.replace("20852163", "+1"),
        TEXT.replace("20852163", "1 "),
        TEXT.replace("20852163", "\u0662"),
        TEXT.replace("20852163", "9223372036854775808"),
        TEXT.replace("20852163", ""),
        TEXT.replace("example.com/behind-the-sofa", ""),
        TEXT.replace("q2I=", "q2J="),
        TEXT.replace("q2I=", "q2I"),
        TEXT.replace("CsUYapGG", ""),
    ],
)
def test_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidCheckpoint):
        parse_checkpoint(text)


def test_signed_checkpoint_of_another_key_or_log_is_refused() -> None:
    note = sign_checkpoint(CHECKPOINT, [KEY])
    assert open_checkpoint(note, [KEY.public], origin=CHECKPOINT.origin) == (CHECKPOINT, [KEY.public])
    with pytest.raises(InvalidCheckpoint, match="belongs to the log"):
        open_checkpoint(note, [KEY.public], origin="example.com/other")
    with pytest.raises(SignatureNotFound):
        open_checkpoint(note, [PrivateKey.generate(KEY.public.name).public], origin=CHECKPOINT.origin)


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("two\nlines", 1, CHECKPOINT.root),
        Checkpoint("", 1, CHECKPOINT.root),
        Checkpoint("origin", -1, CHECKPOINT.root),
        Checkpoint("origin", 1, b"short"),
        Checkpoint("origin", 1, CHECKPOINT.root, ("",)),
    ],
)
def test_malformed_checkpoint_is_not_signed(checkpoint: Checkpoint) -> None:
    with pytest.raises(InvalidCheckpoint):
        sign_checkpoint(checkpoint, [KEY])
