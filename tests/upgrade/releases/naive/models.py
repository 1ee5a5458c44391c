from django.db import models


class Note(models.Model):
    body = models.TextField()
    confirmed = models.BooleanField(default=False, db_default=False)


def create(text: str) -> Note:
    return Note.objects.create(body=text)


def text_of(note: Note) -> str:
    return note.body
