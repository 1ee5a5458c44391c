from django.db import migrations, models

BATCH = 100


def fill(apps, schema_editor):
    """Copy `text` to `body` in batches. Rows that are filled already are skipped."""
    notes = apps.get_model("notes", "Note").objects.filter(body__isnull=True)
    while ids := list(notes.values_list("pk", flat=True)[:BATCH]):
        notes.filter(pk__in=ids).update(body=models.F("text"))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("notes", "0002_body")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
