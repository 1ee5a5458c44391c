"""The trigger function that numbers the changes of rows, for the lists of changes of the REST API."""

from django.db import migrations

from tenants.database.function_migrations import InstallFunctions


class Migration(migrations.Migration):
    dependencies = [("tenants", "0004_hotelusage")]

    operations = [InstallFunctions(migration="0005_changed_rows", functions=["tenants_set_changed_in"])]
