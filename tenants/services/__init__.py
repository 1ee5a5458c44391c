"""Operations on hotels, guest contacts and staff."""

from tenants.lifecycle.suspension import resume_hotel, suspend_hotel
from tenants.services.hotels import (
    add_domain,
    create_hotel,
    invite_manager,
    register_hotel,
    remove_domain,
    rename_hotel,
    update_hosts,
    update_hotel,
)
from tenants.services.reply_address import change_reply_address

__all__ = [
    "add_domain",
    "change_reply_address",
    "create_hotel",
    "invite_manager",
    "register_hotel",
    "remove_domain",
    "rename_hotel",
    "resume_hotel",
    "suspend_hotel",
    "update_hosts",
    "update_hotel",
]
