"""Rows that say whose they are. The tables are made by tests/isolation/world.py."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import models


class Marker(models.Model):
    id = models.BigAutoField(primary_key=True)
    hotel = models.TextField()
    n = models.IntegerField(default=0)

    class Meta:
        app_label = "isolation"
        managed = False
        db_table = "marker"


class Guest(AbstractBaseUser):
    id = models.BigAutoField(primary_key=True)
    hotel = models.TextField()

    USERNAME_FIELD = "id"

    class Meta:
        app_label = "isolation"
        managed = False
        db_table = "guest"
