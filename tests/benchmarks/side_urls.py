"""The URLs of a hotel in the REST benchmark, with a view that only authenticates the client and inserts a row.

The duration of `POST /api/v1/locks/` is compared with the duration of this view.
"""

import uuid
from typing import cast

from django.db import connection
from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hotelagent.urls import hotel
from tenants.access.authentication import ApiKeyAuthentication

BARE = "public.bench_bare"


class BareView(APIView):
    authentication_classes = (ApiKeyAuthentication,)
    permission_classes = (IsAuthenticated,)
    throttle_classes = ()

    def post(self, request: Request) -> Response:
        key, data = uuid.uuid4(), cast("dict[str, str]", request.data)
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {BARE} (id, note) VALUES (%s, %s)",
                (key, data["note"]),
            )
        return Response({"id": key}, status=201)


urlpatterns = [path("bare/", BareView.as_view()), *hotel.urlpatterns]
