"""The source of the platform admin's search for hotels."""

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from hotelagent.admin import search
from hotelagent.admin.search import MAX_RESULTS, Result, ResultGroup
from tenants.models import Hotel


@search.register_source(scope="hotels:read", order=0)
def hotels(_request: HttpRequest, text: str) -> ResultGroup:
    """Return the hotels whose name, slug or custom domain contains the text."""
    matching = Q(name__icontains=text) | Q(slug__icontains=text) | Q(domains__host__icontains=text)
    found = list(Hotel.objects.filter(matching).distinct().order_by("name", "slug")[: MAX_RESULTS + 1])
    results = [
        Result(
            title=hotel.name,
            url=reverse("admin:tenants_hotel_change", args=[hotel.pk]),
            detail=f"{hotel.slug} · {hotel.get_status_display()}",
            icon="hotel",
        )
        for hotel in found[:MAX_RESULTS]
    ]
    return ResultGroup(_("Hotels"), results, is_complete=len(found) == len(results))
