"""The source of the platform admin's search for hotels."""

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from hotelagent.admin import search
from hotelagent.admin.search import Result, ResultGroup
from tenants.models import Hotel


@search.register_source(scope="hotels:read", order=0)
def hotels(_request: HttpRequest, text: str) -> ResultGroup:
    """Return the hotels whose name, slug or custom domain contains the text."""
    matching = Q(name__icontains=text) | Q(slug__icontains=text) | Q(domains__host__icontains=text)
    found = Hotel.objects.filter(matching).distinct().order_by("name", "slug")
    return ResultGroup.of(_("Hotels"), found, to_result=_result)


def _result(hotel: Hotel) -> Result:
    return Result(
        title=hotel.name,
        url=reverse("admin:tenants_hotel_change", args=[hotel.pk]),
        detail=f"{hotel.slug} · {hotel.get_status_display()}",
        icon="hotel",
    )
