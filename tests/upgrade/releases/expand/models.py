from django.db import models


class Note(models.Model):
    text = models.TextField()
    body = models.TextField(null=True)
    confirmed = models.BooleanField(default=False, db_default=False)


def create(text: str) -> Note:
    return Note.objects.create(text=text, body=text)


def text_of(note: Note) -> str:
    return note.text
