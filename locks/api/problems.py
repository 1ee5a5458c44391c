"""The problems that the operations on holds, stays and closures can return: arguments for `problem_responses`."""

UNAVAILABLE = (
    409,
    """`/problems/room-unavailable`, with the occupied nights in `clashes`, the next possible check-in date in
    `next_free` and other rooms in `alternatives`; or `/problems/room-type-unavailable`, with the number of free rooms
    in `free`, and `next_free`.""",
)
MOVE_CONFLICT = (
    409,
    f"""{UNAVAILABLE[1].rstrip(".")}; or, if the stay belongs to a reservation, `/problems/reservation-state-error` or
    `/problems/stay-belongs-to-reservation`.""",
)
CANCEL_CONFLICT = (
    409,
    """`/problems/hold-state-error` or `/problems/allocation-state-error`; or `/problems/stay-belongs-to-reservation`,
    with the URL of the reservation in `reservation`.""",
)
ROOM_NOT_FOUND = (404, "`/problems/room-not-found`.")
HOLD_NOT_FOUND = (404, "`/problems/hold-not-found`.")
INVALID_TOKEN = (403, "`/problems/invalid-hold-token`.")
HOLD_EXPIRED = (410, "`/problems/hold-expired`.")
OWNER_PROBLEMS = (
    INVALID_TOKEN,
    HOLD_NOT_FOUND,
    (
        409,
        "`/problems/hold-state-error`, `/problems/too-many-extensions` or `/problems/stale-fencing-token`.",
    ),
    HOLD_EXPIRED,
)
