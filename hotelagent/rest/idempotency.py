"""Support for the header `Idempotency-Key`: a repeated POST has no second effect and returns the first response.

The behaviour follows draft-ietf-httpapi-idempotency-key-header. The request and the storage of the response are one
transaction. Client errors (4xx) are stored too. A server error (5xx) is not stored, so the client can try again with
the same key.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hotelagent.rest import problems
from hotelagent.rest.errors import PROBLEM_JSON, problem_document
from hotelagent.rest.problems import Problem
from tenants.access import idempotency
from tenants.context import actor_context, changed_actor

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
#: The response headers that are stored, so that the response to a repeated request contains the same headers.
STORED_HEADERS = ("Location", "ETag")

VALID_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class IdempotentMixin(APIView):
    """Mixin for views that create an object by POST. Put it to the left of the view's base class.

    The handler runs in the transaction that stores the response, so it must not use `atomic(durable=True)`.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        key = request.headers.get(HEADER)
        handler = getattr(self, "post", None)
        if request.method == "POST" and key is not None and handler is not None:
            # Replacing `post` affects only this request, because each request has its own view instance.
            vars(self)["post"] = partial(self._post_once, handler, key)

    def _post_once(
        self, handler: Callable[..., Response], key: str, request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        if not VALID_KEY.fullmatch(key):
            raise exceptions.ParseError(_("Idempotency-Key must have 1 to 255 visible ASCII characters."))
        idempotent_request = idempotency.IdempotentRequest.build(
            key=key, client=str(request.user.pk), url=request.get_full_path(), body=request.data
        )
        with transaction.atomic():
            if not idempotency.try_lock(idempotent_request):
                return _error_response(request, problems.IN_FLIGHT, headers={"Retry-After": "1"})
            try:
                stored = idempotency.find(idempotent_request)
            except idempotency.IdempotencyKeyReused:
                return _error_response(request, problems.KEY_REUSED)
            if stored is not None:
                return _replay(stored)
            with actor_context(changed_actor(idempotency_key=str(idempotent_request.id))):
                response = self._call_handler(handler, request, *args, **kwargs)
            if response.status_code >= problems.SERVER_ERROR.status:
                transaction.set_rollback(True)
            else:
                idempotency.store(idempotent_request, _stored(response))
        return response

    def _call_handler(
        self, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        try:
            # If the request fails, only this savepoint is rolled back. The error response is still stored.
            with transaction.atomic():
                return handler(request, *args, **kwargs)
        except Exception as exc:  # noqa: BLE001 - handle_exception converts all exceptions
            return self.handle_exception(exc)


def _error_response(request: Request, problem: Problem, *, headers: dict[str, str] | None = None) -> Response:
    body = problem_document(
        problem, detail=str(problem.explanation), request_id=getattr(request._request, "request_id", None)
    )
    return Response(body, status=problem.status, headers=headers, content_type=PROBLEM_JSON)


def _stored(response: Response) -> idempotency.StoredResponse:
    return idempotency.StoredResponse(
        status=response.status_code,
        data=response.data,
        content_type=response.content_type,
        headers={name: response[name] for name in STORED_HEADERS if name in response},
    )


def _replay(stored: idempotency.StoredResponse) -> Response:
    return Response(
        stored.data,
        status=stored.status,
        headers={**stored.headers, REPLAYED_HEADER: "true"},
        content_type=stored.content_type,
    )
