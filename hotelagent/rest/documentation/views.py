"""The views of the API documentation: the OpenAPI schema, Swagger UI and the list of problem types."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from hotelagent.rest.documentation.document import LANGUAGE, Host, openapi_document
from hotelagent.rest.problems import all_problems
from tenants.context import current_tenant


class _FormatParameter(DefaultContentNegotiation):
    """Content negotiation with the query parameter `format`, because browsers cannot choose the header `Accept`."""

    def select_renderer(
        self, request: Request, renderers: Iterable[Any], format_suffix: str | None = None
    ) -> tuple[Any, str]:
        wanted = format_suffix or request.query_params.get("format")
        renderer: tuple[Any, str] = super().select_renderer(request, renderers, wanted)
        return renderer


class SchemaView(SpectacularAPIView):
    """The view of the OpenAPI 3.1 schema of the current host: the API of a hotel, or the API of the platform.

    `?format=json` returns JSON instead of YAML.
    """

    content_negotiation_class = _FormatParameter

    @extend_schema(exclude=True)
    def get(self, request: Request, *_args: Any, **_kwargs: Any) -> Response:
        host = Host.PLATFORM if current_tenant().id is None else Host.HOTEL
        server = {
            "url": request.build_absolute_uri("/")[:-1],
            "description": current_tenant().name or "The platform",
        }
        document = openapi_document(host, server=server)
        suffix = request.accepted_renderer.format
        return Response(document, headers={"Content-Disposition": f'inline; filename="{host}.{suffix}"'})


class DocumentationView(SpectacularSwaggerSplitView):
    """The page with Swagger UI. It loads only our own static files and no files from other hosts.

    Its script has its own URL, so the Content-Security-Policy need not allow inline scripts.
    """

    template_name = "hotelagent/docs.html"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
        # The page has the banner of a support session. REST framework has replaced `request.user` with a user who is
        # not logged in, because REST requests are not authenticated with the session.
        response.data["user"] = get_user(request._request)
        return response


def problem_list(request: HttpRequest, code: str | None = None) -> HttpResponse:
    """Render the page that explains one problem type, or all problem types if `code` is None.

    The member `type` of a problem document is the URL of this page.
    """
    with translation.override(LANGUAGE):
        problems = [problem for problem in all_problems() if code in {None, problem.code}]
        if not problems:
            raise Http404
        return render(request, "hotelagent/problems.html", {"problems": problems, "code": code})
