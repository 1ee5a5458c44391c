-- Increments the routing version. Each process reloads its host routing table when the version has changed.
CREATE OR REPLACE FUNCTION public.tenants_routing_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.tenants_routingversion SET version = version + 1 WHERE id = 1;
    RETURN NULL;
END
$$;
