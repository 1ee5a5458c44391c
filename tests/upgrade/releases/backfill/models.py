from django.db import models


class Note(models.Model):
    text = models.TextField(db_default="")
    body = models.TextField(null=True)
    confirmed = models.BooleanField(default=False, db_default=False)

    class Meta:
        app_label = "notes"  # also for the release `broken`, which imports this model
        constraints = [models.CheckConstraint(condition=models.Q(body__isnull=False), name="notes_body_set")]


def create(text: str) -> Note:
    return Note.objects.create(text=text, body=text)


def text_of(note: Note) -> str:
    if note.body is None:
        raise ValueError(f"Note {note.pk} was not filled.")
    return note.body
