"""Tests of the stand-alone verifier: an unchanged export is valid, and a changed export is not valid."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.transparency.errors import TileNotFound
from audit.transparency.notes import PrivateKey
from deploy import verify_trail
from tests.architecture.modules import ROOT
from tests.audit.transparency.exports import KEY, ORIGIN, Line, Trail, event, place_of, text_of

VALID, INVALID, UNDETERMINED = 0, 1, 2
SIZE = 600  # events, which fill two tiles and a part of a third tile


class Verifier:
    """A helper that runs `deploy/verify_trail.py` on the lines of an export, and returns its exit code and output."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.keys = [KEY.public.text]

    def run(
        self, lines: list[Line] | str | bytes, *options: str, previous: str | None = None
    ) -> tuple[int, str]:
        content = text_of(lines) if isinstance(lines, list) else lines
        export = self.folder / "export.jsonl"
        export.write_bytes(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
        key = self.folder / "key.txt"
        key.write_text("\n".join(self.keys) + "\n")
        arguments = [str(export), "--key", str(key), *options]
        if previous is not None:
            (self.folder / "previous.txt").write_text(previous)
            arguments += ["--previous", str(self.folder / "previous.txt")]
        code = verify_trail.main(arguments)
        return code, self.capsys.readouterr().out


@pytest.fixture
def verifier(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Verifier:
    return Verifier(tmp_path, capsys)


@pytest.fixture(scope="module")
def trail() -> Trail:
    return Trail(SIZE)


@pytest.fixture
def lines(trail: Trail) -> list[Line]:
    return trail.export()


def test_unchanged_export_is_valid(verifier: Verifier, lines: list[Line]) -> None:
    code, output = verifier.run(lines)
    assert code == VALID
    assert output == (
        f"valid: {SIZE} events from position 0 on, of {SIZE} events of the log {ORIGIN}. Signed by"
        f" {KEY.public.name}+{KEY.public.id.hex()}. 0 personal values are erased or left out.\n"
    )


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512])
def test_export_of_a_log_of_any_size_is_valid(verifier: Verifier, size: int) -> None:
    assert verifier.run(Trail(size).export())[0] == VALID


@pytest.mark.parametrize(
    ("size", "first_kept"), [(256, 256), (257, 256), (511, 256), (512, 512), (513, 512), (66_000, 65_792)]
)
def test_export_of_the_events_that_retention_has_kept_is_valid(
    verifier: Verifier, size: int, first_kept: int
) -> None:
    """Retention deletes the tiles of level 0 before the first kept event.

    As a negative control, an export that needs one of these tiles fails.
    """
    trail = Trail(size)
    trail.log.tiles = {
        tile: hashes
        for tile, hashes in trail.log.tiles.items()
        if tile.level or tile.number >= first_kept // 256
    }
    assert verifier.run(trail.export(first_kept), "--part")[0] == VALID
    lines = trail.export(first_kept, earlier_sizes=[first_kept])
    assert verifier.run(lines, previous=trail.note(first_kept))[0] == VALID
    with pytest.raises(TileNotFound):
        trail.export(first_kept - 1)


@pytest.mark.parametrize("size", [1, 255, 256, 300, 512])
def test_export_with_an_earlier_checkpoint_is_valid_after_the_log_has_grown(
    verifier: Verifier, trail: Trail, size: int
) -> None:
    assert verifier.run(trail.export(0, size, note=trail.note(size)))[0] == VALID


def change_entry(line: Line) -> None:
    line["entry"] = line["entry"].replace("hold.released", "hold.acquired")


def delete(position: int) -> Callable[[list[Line]], None]:
    def change(lines: list[Line]) -> None:
        del lines[place_of(lines, position)]

    return change


def delete_and_renumber(lines: list[Line]) -> None:
    del lines[place_of(lines, 300)]
    for line in lines:
        if line.get("position", 0) > 300:
            line["position"] -= 1
    lines[0]["to"] -= 1
    lines[-1]["events"] -= 1


def delete_last_event(lines: list[Line]) -> None:
    delete(SIZE - 1)(lines)
    lines[-1]["events"] -= 1


def insert(lines: list[Line]) -> None:
    place = place_of(lines, 300)
    lines.insert(place, {**lines[place], "entry": lines[place]["entry"].replace("300", "3000")})
    for line in lines[place + 1 :]:
        if "position" in line:
            line["position"] += 1


def repeat(lines: list[Line]) -> None:
    place = place_of(lines, 300)
    lines.insert(place, lines[place])


def swap(lines: list[Line]) -> None:
    one, other = place_of(lines, 300), place_of(lines, 301)
    lines[one], lines[other] = lines[other], lines[one]


def swap_entries(lines: list[Line]) -> None:
    swap(lines)
    place = place_of(lines, 300)
    lines[place]["position"], lines[place - 1]["position"] = 301, 300


def set_personal(name: str, value: Any) -> Callable[[list[Line]], None]:
    def change(lines: list[Line]) -> None:
        lines[place_of(lines, 300)]["personal"][name] = value

    return change


def remove_personal(lines: list[Line]) -> None:
    del lines[place_of(lines, 300)]["personal"]["reason"]


def change_tile(lines: list[Line]) -> None:
    line = next(line for line in lines if line.get("tile") == "tile/0/001")
    line["hashes"] = "AAAA" + line["hashes"][4:]


def remove_tile(lines: list[Line]) -> None:
    lines[:] = [line for line in lines if line.get("tile") != "tile/0/001"]


def delete_last_lines(lines: list[Line]) -> None:
    del lines[-5:]


CHANGED = "it was changed or inserted"
MOVED = "events were deleted, inserted or swapped"


@pytest.mark.parametrize(
    ("change", "position", "reason"),
    [
        (lambda lines: change_entry(lines[place_of(lines, 0)]), 0, CHANGED),
        (lambda lines: change_entry(lines[place_of(lines, 300)]), 300, CHANGED),
        (lambda lines: change_entry(lines[place_of(lines, SIZE - 1)]), SIZE - 1, CHANGED),
        (delete(0), 0, "missing. The next event has the position 1"),
        (delete(300), 300, "missing. The next event has the position 301"),
        (delete(511), 511, "missing. The next event has the position 512"),
        (delete(SIZE - 1), SIZE - 1, "missing, and all events after it"),
        (delete_last_event, SIZE - 1, "missing, and all events after it"),
        (delete_and_renumber, 300, MOVED),
        (insert, 300, CHANGED),
        (repeat, 301, "position 300 is here again"),
        (swap, 300, "missing. The next event has the position 301"),
        (swap_entries, 300, MOVED),
        (set_personal("reason", {"salt": "AAAAAAAAAAAAAAAAAAAAAA==", "value": "x"}), 300, "'reason' is not the signed"),
        (set_personal("reason", {"digest": "00" * 32}), 300, "'reason' is not the signed"),
        (set_personal("reason", {}), 300, "neither a salt and a value nor a digest"),
        (set_personal("reason", {"salt": "!", "value": "x"}), 300, "'reason' is not the signed"),
        (set_personal("phone", {"digest": "00" * 32}), 300, "fields are not those of the signed event"),
        (remove_personal, 300, "fields are not those of the signed event"),
        (change_tile, 256, "positions 256 to 511"),
        (remove_tile, 256, "hashes of the event are missing"),
        (lambda lines: lines.pop(), SIZE, "last lines are missing"),
        (delete_last_lines, SIZE - 4, "last lines are missing"),
        (lambda lines: lines[-1].update(events=SIZE - 1), SIZE, "number of events in the last line is wrong"),
        (lambda lines: lines.append(lines[-2]), SIZE, "continues after the last line"),
        (lambda lines: lines[0].update(to=SIZE - 1), SIZE - 1, "more events than its first line says"),
        (lambda lines: lines[place_of(lines, 300)].update(note="forged"), 300, "malformed"),
        (lambda lines: lines[place_of(lines, 1)].update(position=True), 1, "malformed"),
        (lambda lines: lines[place_of(lines, 300)].update(entry=None), 300, "malformed"),
        (lambda lines: lines[place_of(lines, 300)].update(entry="\ud800"), 300, "malformed"),
    ],
)  # fmt: skip
def test_changed_export_is_invalid_and_the_output_names_the_first_wrong_position(
    verifier: Verifier, lines: list[Line], change: Callable[[list[Line]], object], position: int, reason: str
) -> None:
    change(lines)
    code, output = verifier.run(lines)
    assert code == INVALID
    assert output.startswith(f"invalid: position {position} (line ")
    assert reason in output


SMALL_EXPORT = text_of(Trail(2).export()).encode()


@given(st.integers(0, len(SMALL_EXPORT) - 1), st.binary(min_size=0, max_size=2))
def test_export_with_any_changed_byte_is_not_valid(place: int, replacement: bytes) -> None:
    changed = SMALL_EXPORT[:place] + replacement + SMALL_EXPORT[place + 1 :]
    try:
        same = [json.loads(line) for line in changed.splitlines()] == [
            json.loads(line) for line in SMALL_EXPORT.splitlines()
        ]
    except ValueError:
        same = False
    export = verify_trail.Export(io.BytesIO(changed), len(changed))
    if not same:
        with pytest.raises((verify_trail.InvalidExport, verify_trail.Undetermined)):
            verify_trail.verify(export, [verify_trail.parse_key(KEY.public.text)], None, part=True)


def test_line_that_is_cut_in_the_middle_is_invalid(verifier: Verifier, lines: list[Line]) -> None:
    code, output = verifier.run(text_of(lines)[:-300])
    assert code == INVALID
    assert output.startswith(f"invalid: position {SIZE - 1} (line ")


@pytest.mark.parametrize(
    "text", ["[1]", "x", "{}", '{"position":1e999}', "[" * 100_000, '{"a":1,"a":2}', "\x00"]
)
def test_line_that_is_not_an_event_is_invalid(verifier: Verifier, lines: list[Line], text: str) -> None:
    place = place_of(lines, 300)
    whole = text_of(lines[:place]) + text + "\n" + text_of(lines[place:])
    code, output = verifier.run(whole)
    assert code == INVALID
    assert output.startswith(f"invalid: position 300 (line {place + 1}): ")


def test_line_with_the_same_json_key_twice_is_invalid(verifier: Verifier, lines: list[Line]) -> None:
    forged = text_of(lines).replace('{"position": 300, ', '{"position": 300, "entry": "{}", ')
    assert verifier.run(forged)[0] == INVALID


def test_export_with_an_erased_value_is_valid_and_the_value_is_counted(
    verifier: Verifier, trail: Trail, lines: list[Line]
) -> None:
    signed = json.loads(trail.events[300].entry)["personal"]["reason"]
    set_personal("reason", {"digest": signed})(lines)
    code, output = verifier.run(lines)
    assert code == VALID
    assert "1 personal values are erased or left out" in output


def test_export_with_a_changed_checkpoint_is_invalid(verifier: Verifier, lines: list[Line]) -> None:
    lines[0]["checkpoint"] = lines[0]["checkpoint"].replace(f"\n{SIZE}\n", f"\n{SIZE + 1}\n")
    code, output = verifier.run(lines)
    assert code == INVALID
    assert "The signature of the checkpoint is wrong" in output


def test_export_of_a_log_that_another_key_has_signed_is_invalid(verifier: Verifier) -> None:
    forger = PrivateKey.generate(KEY.public.name)
    trail = Trail(10)
    code, output = verifier.run(trail.export(note=trail.note(key=forger)))
    assert code == INVALID
    assert "not signed by the given key" in output


def test_export_with_changed_events_and_recomputed_hashes_is_invalid(
    verifier: Verifier, lines: list[Line]
) -> None:
    forged = Trail(300)
    forged.append([event(position) for position in range(301, SIZE + 1)])
    forged_lines = forged.export()
    forged_lines[0]["checkpoint"] = lines[0]["checkpoint"]
    code, output = verifier.run(forged_lines)
    assert code == INVALID
    assert "do not lead to the signed root" in output


def test_export_with_more_events_than_its_checkpoint_is_invalid(
    verifier: Verifier, trail: Trail, lines: list[Line]
) -> None:
    lines[0]["checkpoint"] = trail.note(500)
    code, output = verifier.run(lines)
    assert code == INVALID
    assert "the checkpoint has only 500 events" in output


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "another"},
        {"from": -1},
        {"from": 601},
        {"to": True},
        {"checkpoint": None},
        {"checkpoint": "text"},
        {"checkpoint": "\ud800\n1\n"},
        {"tiles": None},
        {"tiles": [None]},
        {"tiles": []},
        {"note": "more"},
    ],
)
def test_export_with_a_malformed_first_line_is_invalid(
    verifier: Verifier, lines: list[Line], change: Line
) -> None:
    lines[0].update(change)
    assert verifier.run(lines)[0] == INVALID


@pytest.mark.parametrize("key_number", [0, 1])
def test_checkpoint_signed_by_any_of_the_given_keys_is_accepted(verifier: Verifier, key_number: int) -> None:
    keys = [KEY, PrivateKey.generate(KEY.public.name)]
    verifier.keys = [key.public.text for key in keys]
    trail = Trail(3)
    code, output = verifier.run(trail.export(note=trail.note(key=keys[key_number])))
    assert code == VALID
    assert keys[key_number].public.id.hex() in output


@pytest.mark.parametrize("earlier", [0, 1, 255, 256, 300, 512, SIZE])
def test_export_of_a_log_that_continues_the_previous_checkpoint_is_valid(
    verifier: Verifier, trail: Trail, lines: list[Line], earlier: int
) -> None:
    assert verifier.run(lines, previous=trail.note(earlier))[0] == VALID


def test_gap_between_the_previous_checkpoint_and_the_export_makes_the_result_undetermined(
    verifier: Verifier, trail: Trail
) -> None:
    assert verifier.run(trail.export(300, earlier_sizes=[300]), previous=trail.note(300))[0] == VALID
    code, output = verifier.run(trail.export(301, earlier_sizes=[300]), previous=trail.note(300))
    assert code == UNDETERMINED
    assert "the log has 600 events" in output


@pytest.mark.parametrize("earlier", [200, 512, 599])
def test_history_that_was_replaced_and_signed_again_contradicts_the_previous_checkpoint(
    verifier: Verifier, trail: Trail, lines: list[Line], earlier: int
) -> None:
    forged = Trail(199)
    forged.append([event(position) for position in range(1199, 1700)])
    forged_lines = forged.export()
    # The control: without an earlier checkpoint, the replaced history is accepted.
    assert verifier.run(forged_lines)[0] == VALID
    code, output = verifier.run(forged_lines, previous=trail.note(earlier))
    assert code == INVALID
    assert f"The first {earlier} events are not those of the previous checkpoint" in output


def test_export_of_a_log_shorter_than_the_previous_checkpoint_is_invalid(
    verifier: Verifier, trail: Trail
) -> None:
    code, output = verifier.run(Trail(599).export(), previous=trail.note(600))
    assert code == INVALID
    assert "but the previous checkpoint had 600" in output


def test_export_that_cannot_be_compared_with_the_previous_checkpoint_is_undetermined(
    verifier: Verifier, trail: Trail, lines: list[Line]
) -> None:
    for previous in (
        trail.note(300, origin=f"{ORIGIN}/2"),
        trail.note(300, key=PrivateKey.generate("other.example")),
        "no checkpoint",
    ):
        assert verifier.run(lines, previous=previous)[0] == UNDETERMINED
    code, output = verifier.run(trail.export(550), "--part", previous=trail.note(300))
    assert code == UNDETERMINED
    assert "no hashes for a log of 300 events" in output


@pytest.mark.parametrize("borders", ["0-1", "0-256", "255-257", "256-512", "300-301", "599-600", "400-400"])
def test_export_of_a_part_of_a_log_is_valid_only_with_the_option_part(
    verifier: Verifier, trail: Trail, borders: str
) -> None:
    start, end = map(int, borders.split("-"))
    lines = trail.export(start, end)
    assert verifier.run(lines, "--part")[0] == VALID
    code, output = verifier.run(lines)
    assert code == UNDETERMINED
    assert f"The {end - start} events from position {start} on are valid" in output


def test_export_of_a_small_part_of_a_large_log_has_few_tiles(verifier: Verifier) -> None:
    trail = Trail()
    trail.append([event(1)] * 66_000)
    lines = trail.export(1000, 1001, earlier_sizes=[40_000])
    assert [line["tile"] for line in lines if "tile" in line] == ["tile/1/000", "tile/0/003", "tile/0/156"]
    assert verifier.run(lines, "--part")[0] == VALID
    assert verifier.run(lines, "--part", previous=trail.note(40_000))[0] == VALID

    across_a_tile_of_level_1 = trail.export(65_530, 65_540)
    assert verifier.run(across_a_tile_of_level_1, "--part")[0] == VALID
    change_entry(across_a_tile_of_level_1[place_of(across_a_tile_of_level_1, 65_536)])
    assert verifier.run(across_a_tile_of_level_1, "--part")[1].startswith("invalid: position 65536 (line ")


@pytest.mark.parametrize(
    "content", ["", "text", "[]", '{"format":"hotelagent-audit-export/2"}\n', b"\x1f\x8b\xff\x00"]
)
def test_verification_of_a_file_in_another_format_is_undetermined(
    verifier: Verifier, content: str | bytes
) -> None:
    code, output = verifier.run(content)
    assert code == UNDETERMINED
    assert output == "undetermined: The file is not an export in the format hotelagent-audit-export/1.\n"


@pytest.mark.parametrize(
    "key",
    ["", "text", KEY.text, KEY.public.text[:-4], KEY.public.text.replace("hotels", "h")],
    # The keys are random, so ids made from them would differ between pytest workers.
    ids=["empty", "text", "private key", "incomplete key", "other host"],
)
def test_verification_with_a_key_file_without_the_public_key_is_undetermined(
    verifier: Verifier, lines: list[Line], key: str
) -> None:
    verifier.keys = [key]
    assert verifier.run(lines)[0] == UNDETERMINED


def test_verification_with_a_missing_file_is_undetermined(
    verifier: Verifier, lines: list[Line], capsys: pytest.CaptureFixture[str]
) -> None:
    verifier.run(lines)
    folder = verifier.folder
    for export, key in (("none", "key.txt"), ("export.jsonl", "none"), (".", "key.txt")):
        assert verify_trail.main([str(folder / export), "--key", str(folder / key)]) == UNDETERMINED
        assert "cannot be read" in capsys.readouterr().out


def test_verifier_shows_its_progress_only_on_a_terminal(
    verifier: Verifier, lines: list[Line], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_trail, "EVENTS_PER_PROGRESS", 300)
    for is_terminal in (False, True):
        terminal = io.StringIO()
        monkeypatch.setattr(terminal, "isatty", lambda is_terminal=is_terminal: is_terminal)
        monkeypatch.setattr(sys, "stderr", terminal)
        assert verifier.run(lines)[0] == VALID
        assert ("600 events, 99 %" in terminal.getvalue()) is is_terminal


def test_verifier_runs_without_the_modules_of_the_project(verifier: Verifier, lines: list[Line]) -> None:
    verifier.run(lines)
    program = verifier.folder / "verify_trail.py"
    program.write_text((ROOT / "deploy/verify_trail.py").read_text())
    command = [sys.executable, "-I", str(program), "export.jsonl", "--key", "key.txt"]
    result = subprocess.run(command, cwd=verifier.folder, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout[:6], result.stderr) == (VALID, "valid:", "")
