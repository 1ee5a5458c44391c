from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notes", "0006_forget_text")]
    operations = [migrations.RunSQL("ALTER TABLE notes_note DROP COLUMN text", migrations.RunSQL.noop)]
