-- Increments the routing version, which every process compares with its cached host table (tenants/host_routing.py).
CREATE OR REPLACE FUNCTION public.tenants_routing_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.tenants_routingversion SET version = version + 1 WHERE id = 1;
    RETURN NULL;
END
$$;
