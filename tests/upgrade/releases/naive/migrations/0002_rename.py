from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("notes", "0001_note")]
    operations = [migrations.RenameField("note", "text", "body")]
