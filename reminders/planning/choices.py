"""What a rule may be set to."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Anchor(models.TextChoices):
    """The day that a rule counts from."""

    ARRIVAL = "arrival", _("before arrival")
    DEPARTURE = "departure", _("after departure")


class LatePolicy(models.TextChoices):
    """What becomes of a reminder whose window had passed when the reservation became known."""

    SEND_NOW = "send_now", _("send it at once, until the day of arrival ends")
    SKIP = "skip", _("skip it")


class Guests(models.TextChoices):
    """Whom a rule writes to. Returning: the address had an earlier stay here that was not called off."""

    ANY = "any", _("any")
    NEW = "new", _("new here")
    RETURNING = "returning", _("returning")
