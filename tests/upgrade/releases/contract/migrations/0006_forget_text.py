from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notes", "0005_validate_body_set")]
    operations = [
        migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("note", "text")])
    ]
