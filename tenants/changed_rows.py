"""The column that orders the changes of rows, for the lists of changes of the REST API (`updated_since`)."""

from django.db import models
from django.db.models import F, Func
from django.db.models.functions import Cast


def changed_in_column() -> "models.BigIntegerField[int, int]":
    """Return a column with the number of the database transaction that changed the row last.

    A trigger sets the column in updates. Commits are in another order than `updated_at`, so only this number shows
    which changes a client has not seen.
    """
    return models.BigIntegerField(
        db_default=Cast(
            Cast(Func(function="pg_current_xact_id"), models.TextField()), models.BigIntegerField()
        ),
        editable=False,
    )


def number_changes_again(model: type[models.Model]) -> None:
    """Let the trigger of the table give each row the number of the current transaction. The time of the row is kept.

    The rows of a backup have the transaction numbers of the server on which the backup was made. These numbers may be
    in the future of this server.
    """
    models.QuerySet(model).update(changed_in=F("changed_in") - 1)
