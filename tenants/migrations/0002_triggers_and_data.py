"""The routing version with its triggers, and the periodic tasks of Celery beat."""

from django.db import migrations

from tenants.database.function_migrations import InstallFunctions
from tenants.queue.periodic_tasks import add_periodic_tasks

# Every process compares the routing version with its cached host table (tenants/host_routing.py). These are row
# triggers because only a row trigger can have a WHEN condition. The condition skips hotels that are still being
# provisioned: they have no route yet, and hotels that are created concurrently must not wait for the lock on the
# version's one row.
ADD_ROUTING_VERSION = """
INSERT INTO tenants_routingversion (id, version) VALUES (1, 1);

CREATE TRIGGER routing_changed_insert AFTER INSERT ON tenants_hotel
    FOR EACH ROW WHEN (NEW.status <> 'provisioning') EXECUTE FUNCTION tenants_routing_changed();
CREATE TRIGGER routing_changed_update
    AFTER UPDATE OF slug, name, status, schema, time_zone, language, require_two_factor,
    former_hosts ON tenants_hotel
    FOR EACH ROW EXECUTE FUNCTION tenants_routing_changed();
CREATE TRIGGER routing_changed_delete AFTER DELETE ON tenants_hotel
    FOR EACH ROW EXECUTE FUNCTION tenants_routing_changed();
CREATE TRIGGER routing_changed AFTER INSERT OR UPDATE OR DELETE ON tenants_domain
    FOR EACH ROW EXECUTE FUNCTION tenants_routing_changed();
"""

REMOVE_ROUTING_VERSION = """
DROP TRIGGER routing_changed ON tenants_domain;
DROP TRIGGER routing_changed_insert ON tenants_hotel;
DROP TRIGGER routing_changed_update ON tenants_hotel;
DROP TRIGGER routing_changed_delete ON tenants_hotel;
DELETE FROM tenants_routingversion;
"""

# task: (every, period, description in the admin). Operators can pause a task in the platform's admin.
PERIODIC_TASKS = {
    "tenants.tasks.tick": (5, "seconds", "Starts tasks for due items: reminders, retries, expired holds"),
    "tenants.tasks.provision_pending": (60, "seconds", "Provisions hotels whose provisioning task was lost"),
    "tenants.tasks.delete_old_redeliveries": (1, "days", "Deletes the delivery counts of finished tasks"),
    "tenants.tasks.delete_expired_platform_records": (
        1,
        "days",
        "Deletes expired sessions of the platform's staff",
    ),
    "tenants.tasks.schedule_daily": (1, "days", "Schedules the daily cleanup of every hotel"),
}


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
    ]

    operations = [
        InstallFunctions(
            migration="0002_triggers_and_data",
            functions=[
                "tenants_cancel_due",
                "tenants_routing_changed",
                "tenants_schedule_due",
                "tenants_uuid7",
            ],
        ),
        migrations.RunSQL(
            ADD_ROUTING_VERSION, REMOVE_ROUTING_VERSION, hints={"model_name": "routingversion"}
        ),
        add_periodic_tasks(PERIODIC_TASKS),
    ]
