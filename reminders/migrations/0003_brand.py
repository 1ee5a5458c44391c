from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reminders", "0003_handing_over")]

    operations = [
        migrations.CreateModel(
            name="Brand",
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
            ],
            options={
                "verbose_name": "looks of the mails",
                "verbose_name_plural": "looks of the mails",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="reminders_brand_is_one"),
                    models.CheckConstraint(
                        condition=models.Q(("colour__regex", "^#[0-9a-f]{6}$")), name="reminders_brand_colour"
                    ),
                ],
            },
        ),
    ]
