from tests.upgrade.releases.backfill.models import Note, create

__all__ = ["Note", "create", "text_of"]


def text_of(note: Note) -> str:
    raise RuntimeError("This release is broken.")
