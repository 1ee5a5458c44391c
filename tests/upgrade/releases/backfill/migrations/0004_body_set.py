from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notes", "0003_fill_body")]
    operations = [
        migrations.AlterField("note", "text", models.TextField(db_default="")),
        AddConstraintNotValid(
            "note", models.CheckConstraint(condition=models.Q(body__isnull=False), name="notes_body_set")
        ),
    ]
