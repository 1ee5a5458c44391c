import uuid
from typing import Any, ClassVar

import pghistory
from django.db import models
from django.db.models.functions import Lower, Now


@pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent())
class Member(models.Model):
    """A member of staff, with the columns and indexes of hotelagent's staff accounts."""

    objects: ClassVar[models.Manager[Any]] = models.Manager()

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    password = models.CharField(max_length=128)
    last_login = models.DateTimeField(null=True)
    username = models.CharField(max_length=150)
    full_name = models.CharField(max_length=150)
    email = models.EmailField()
    role = models.CharField(max_length=20)
    language = models.CharField(max_length=2)
    is_active = models.BooleanField(default=True)
    deactivated_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        app_label = "peer_history"
        constraints = [models.UniqueConstraint(Lower("username"), name="peer_member_username_unique")]
