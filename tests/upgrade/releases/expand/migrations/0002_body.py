from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notes", "0001_note")]
    operations = [migrations.AddField("note", "body", models.TextField(null=True))]
