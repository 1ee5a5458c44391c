import uuid
from typing import Any, ClassVar

from auditlog.registry import auditlog
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, IntegerRangeField, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now


class Room(models.Model):
    objects: ClassVar[models.Manager[Any]] = models.Manager()

    number = models.CharField(max_length=20, unique=True)

    class Meta:
        app_label = "peer_holds"


class Hold(models.Model):
    objects: ClassVar[models.Manager[Any]] = models.Manager()

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    group_id = models.UUIDField(null=True, db_index=True)
    room = models.ForeignKey(Room, models.PROTECT)
    nights = DateRangeField()
    status = models.CharField(max_length=9)
    token_digest = models.CharField(max_length=64)
    holder = models.CharField(max_length=60)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        app_label = "peer_holds"
        constraints = [
            ExclusionConstraint(
                name="peer_hold_no_overlap",
                expressions=[
                    ("nights", RangeOperators.OVERLAPS),
                    (
                        Func(F("room_id"), F("room_id"), Value("[]"), function="int4range",
                             output_field=IntegerRangeField()),
                        RangeOperators.EQUAL,
                    ),
                ],
                condition=Q(status__in=["held", "confirmed", "closed"]),
            )
        ]  # fmt: skip
        indexes = [models.Index(fields=["holder"], condition=Q(status="held"), name="peer_hold_holder")]


auditlog.register(Hold)
