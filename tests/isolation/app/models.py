"""Models for the tests of isolation.

Each row contains the name of its hotel, so tests recognize rows of other hotels.
"""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models


class Marker(models.Model):
    id = models.BigAutoField(primary_key=True)
    hotel = models.TextField()
    n = models.IntegerField(default=0)

    objects: ClassVar[models.Manager[Marker]] = models.Manager()

    class Meta:
        app_label = "isolation"
        managed = False
        db_table = "marker"


class Guest(AbstractBaseUser):
    id = models.BigAutoField(primary_key=True)
    hotel = models.TextField()

    objects: ClassVar[models.Manager[Guest]] = models.Manager()

    USERNAME_FIELD = "id"

    class Meta:
        app_label = "isolation"
        managed = False
        db_table = "guest"
