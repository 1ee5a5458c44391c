from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notes", "0004_body_set")]
    operations = [ValidateConstraint("note", "notes_body_set")]
