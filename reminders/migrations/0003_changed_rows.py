"""The columns and the trigger that number the changes of reminders (`updated_since`).

Existing rows get the number 0 and the time of the migration, so adding the columns does not rewrite the table.
"""

import django.db.models.functions.comparison
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reminders", "0002_functions_and_defaults"), ("tenants", "0005_changed_rows")]

    operations = [
        migrations.AddField(
            model_name="reminder",
            name="updated_at",
            field=models.DateTimeField(
                db_default=django.db.models.functions.datetime.Now(), editable=False, verbose_name="changed"
            ),
        ),
        migrations.AddField(
            model_name="reminder",
            name="changed_in",
            field=models.BigIntegerField(db_default=0, editable=False),
        ),
        migrations.AlterField(
            model_name="reminder",
            name="changed_in",
            field=models.BigIntegerField(
                db_default=django.db.models.functions.comparison.Cast(
                    django.db.models.functions.comparison.Cast(
                        models.Func(function="pg_current_xact_id"), models.TextField()
                    ),
                    models.BigIntegerField(),
                ),
                editable=False,
            ),
        ),
        migrations.RunSQL(
            """
CREATE TRIGGER set_changed_in BEFORE UPDATE ON reminders_reminder
    FOR EACH ROW EXECUTE FUNCTION tenants_set_changed_in();
""",
            "DROP TRIGGER set_changed_in ON reminders_reminder;",
        ),
    ]
