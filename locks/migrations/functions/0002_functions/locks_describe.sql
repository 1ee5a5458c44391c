-- Returns an allocation and its room as a JSON object, or null if no allocation has this id.
-- The keys of the object are the fields of locks.holds.AllocatedRoom.
CREATE OR REPLACE FUNCTION public.locks_describe(allocation_id uuid) RETURNS jsonb
LANGUAGE plpgsql AS $$
BEGIN
    RETURN (
        SELECT jsonb_build_object(
            'id', allocation.id,
            'group_id', allocation.group_id,
            'room_id', allocation.room_id,
            'number', room.number,
            'room_type', room.room_type,
            'check_in', lower(allocation.nights),
            'check_out', upper(allocation.nights),
            'status', allocation.status,
            'fencing_token', allocation.fencing_token,
            'expires_at', allocation.expires_at,
            'extensions_left', allocation.extensions_left,
            'seconds_left',
                greatest(0, floor(extract(epoch FROM allocation.expires_at - clock_timestamp())))::int,
            'holder', allocation.holder,
            'session', allocation.session,
            'reference', allocation.reference,
            'reason', allocation.reason,
            'created_at', allocation.created_at)
        FROM locks_allocation allocation JOIN locks_room room ON room.id = allocation.room_id
        WHERE allocation.id = allocation_id
    );
END
$$;
