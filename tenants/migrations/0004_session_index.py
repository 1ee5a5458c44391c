"""Nobody looks for sessions by the beginning of their key: one index less in each hotel."""

from django.db import migrations

INDEX = "django_session_session_key_c0390e0f_like"


class Migration(migrations.Migration):
    dependencies = [("tenants", "0003_periodic_tasks"), ("sessions", "0001_initial")]

    operations = [
        migrations.RunSQL(
            f"DROP INDEX {INDEX}",
            f"CREATE INDEX {INDEX} ON django_session (session_key varchar_pattern_ops)",
            hints={"model_name": "user"},
        )
    ]
