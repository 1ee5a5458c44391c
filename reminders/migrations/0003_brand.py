"""A hotel's e-mail branding, and a digest of all that its mails share, by which a worker knows whether what it keeps
is still so (`reminders.sending.mail_settings_cache`)."""

from django.db import migrations, models

# By its schema: where a hotel is made or restored, no search path leads to it yet.
# The revision is left out of the columns that it is drawn for, so drawing it asks for no other.
FORWARD = """
CREATE FUNCTION reminders_shared_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($sql$
        UPDATE %1$I.reminders_emailbranding b SET revision = encode(substr(sha256(convert_to(concat(
            (SELECT string_agg(r::text, chr(10) ORDER BY r.id) FROM %1$I.reminders_rule r), chr(10),
            (SELECT string_agg(t::text, chr(10) ORDER BY t.id) FROM %1$I.reminders_template t), chr(10),
            ROW(b.colour, b.logo_type, b.logo_width, b.logo_height, b.logo_digest)
        ), 'UTF8')), 1, 16), 'hex')::uuid
        $sql$, TG_TABLE_SCHEMA);
    RETURN NULL;
END
$$;

CREATE TRIGGER shared_changed
    AFTER INSERT OR UPDATE OF colour, logo_type, logo_width, logo_height, logo_digest ON reminders_emailbranding
    FOR EACH STATEMENT EXECUTE FUNCTION reminders_shared_changed();
CREATE TRIGGER shared_changed AFTER INSERT OR UPDATE OR DELETE ON reminders_rule
    FOR EACH STATEMENT EXECUTE FUNCTION reminders_shared_changed();
CREATE TRIGGER shared_changed AFTER INSERT OR UPDATE OR DELETE ON reminders_template
    FOR EACH STATEMENT EXECUTE FUNCTION reminders_shared_changed();

INSERT INTO reminders_emailbranding (id, colour, logo, logo_type, logo_width, logo_height, logo_digest)
VALUES (1, '#1f4e5f', '', '', 0, 0, '');
"""

BACKWARD = """
DROP TRIGGER shared_changed ON reminders_template;
DROP TRIGGER shared_changed ON reminders_rule;
DROP TRIGGER shared_changed ON reminders_emailbranding;
DROP FUNCTION reminders_shared_changed();
"""


class Migration(migrations.Migration):
    dependencies = [("reminders", "0002_defaults")]

    operations = [
        migrations.CreateModel(
            name="EmailBranding",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(
                        default=1, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("colour", models.CharField(default="#1f4e5f", max_length=7, verbose_name="colour")),
                ("logo", models.BinaryField(default=b"", verbose_name="logo")),
                ("logo_type", models.CharField(blank=True, default="", editable=False, max_length=10)),
                ("logo_width", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("logo_height", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("logo_digest", models.CharField(blank=True, default="", editable=False, max_length=16)),
                ("revision", models.UUIDField(editable=False, null=True)),
            ],
            options={
                "verbose_name": "e-mail branding",
                "verbose_name_plural": "e-mail branding",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("id", 1)), name="reminders_emailbranding_is_single_row"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("colour__regex", "^#[0-9a-f]{6}$")),
                        name="reminders_emailbranding_colour",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
