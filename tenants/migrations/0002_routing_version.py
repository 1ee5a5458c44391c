"""A number that grows when what a host leads to changes: each process looks at it (tenants.host_routing)."""

from django.db import migrations

# Row triggers, so that WHEN can leave out a hotel that is being made: it leads nowhere yet, and many at once
# must not wait for each other's row here.
FORWARD = """
INSERT INTO tenants_routingversion (id, version) VALUES (1, 1);

CREATE FUNCTION tenants_routing_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.tenants_routingversion SET version = version + 1 WHERE id = 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER routing_changed_insert AFTER INSERT ON tenants_hotel
    FOR EACH ROW WHEN (NEW.status <> 'provisioning') EXECUTE FUNCTION tenants_routing_changed();
CREATE TRIGGER routing_changed_update
    AFTER UPDATE OF slug, name, status, schema, time_zone, language ON tenants_hotel
    FOR EACH ROW EXECUTE FUNCTION tenants_routing_changed();
CREATE TRIGGER routing_changed_delete AFTER DELETE ON tenants_hotel
    FOR EACH ROW EXECUTE FUNCTION tenants_routing_changed();
CREATE TRIGGER routing_changed AFTER INSERT OR UPDATE OR DELETE ON tenants_domain
    FOR EACH ROW EXECUTE FUNCTION tenants_routing_changed();
"""

BACKWARD = """
DROP TRIGGER routing_changed ON tenants_domain;
DROP TRIGGER routing_changed_insert ON tenants_hotel;
DROP TRIGGER routing_changed_update ON tenants_hotel;
DROP TRIGGER routing_changed_delete ON tenants_hotel;
DROP FUNCTION tenants_routing_changed();
DELETE FROM tenants_routingversion;
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD, hints={"model_name": "routingversion"})]
