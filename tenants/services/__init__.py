"""Operations on hotels. Each one switches to the platform's context and is one transaction."""

from tenants.services.hotels import (
    add_domain,
    create_hotel,
    free_schema,
    locked_hotel,
    readdress_hotel,
    register_hotel,
    remove_domain,
    rename_hotel,
    resume_hotel,
    suspend_hotel,
)

__all__ = [
    "add_domain",
    "create_hotel",
    "free_schema",
    "locked_hotel",
    "readdress_hotel",
    "register_hotel",
    "remove_domain",
    "rename_hotel",
    "resume_hotel",
    "suspend_hotel",
]
