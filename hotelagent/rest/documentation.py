"""The interface, explained by itself."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest import guide
from hotelagent.rest.problems import all_problems


class Schema(SpectacularAPIView):
    """OpenAPI 3.1, of the host that is asked: a hotel's or the platform's. `?format=json` for JSON."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self.urlconf = getattr(request, "urlconf", settings.ROOT_URLCONF)  # HotelMiddleware has chosen it
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        response.data["info"]["description"] = guide.description()
        used = {
            tag
            for path in response.data["paths"].values()
            for op in path.values()
            for tag in op.get("tags", ())
        }
        response.data["tags"] = guide.tags(used)
        if webhooks := guide.webhooks():
            response.data["webhooks"] = webhooks
        return response


class Docs(SpectacularSwaggerSplitView):
    """Swagger UI from our own files; its script comes from its own address, so the policy needs no inline code."""

    template_name = "hotelagent/docs.html"


def problem_list(request: HttpRequest, code: str | None = None) -> HttpResponse:
    """The page behind `type`: one problem, or all of them."""
    found = [problem for problem in all_problems() if code in {None, problem.code}]
    if not found:
        raise Http404
    return render(request, "hotelagent/problems.html", {"problems": found, "code": code})
