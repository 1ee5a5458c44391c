"""The number of rooms of a booking, and the conflict of an imported booking with different rooms."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pms", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="booking",
            name="room_count",
            field=models.PositiveSmallIntegerField(db_default=1, default=1, verbose_name="number of rooms"),
        ),
        migrations.AlterField(
            model_name="conflict",
            name="kind",
            field=models.CharField(
                choices=[
                    ("overbooked", "The PMS has sold the same room twice"),
                    ("no_free_room", "No room of the type is free"),
                    ("not_mapped", "The room type is not assigned"),
                    ("invalid", "The booking is not valid"),
                    ("mixed_rooms", "The rooms have different types or nights"),
                ],
                max_length=12,
                verbose_name="problem",
            ),
        ),
    ]
