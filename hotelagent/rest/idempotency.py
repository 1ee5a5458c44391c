"""`Idempotency-Key`: a POST that is sent again makes nothing again and gets the first answer.

(draft-ietf-httpapi-idempotency-key-header.) The answer is stored in the transaction of the effect: there is never
one without the other. Answers below 500 are kept, refusals too, so that the same key always tells the same story;
a 5xx undoes the effect and keeps nothing, so that it can be tried again.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import transaction
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from hotelagent.rest import problems
from hotelagent.rest.errors import problem_document
from hotelagent.rest.problems import Problem
from tenants.access import idempotency

HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"
#: What a stored answer keeps of its headers.
KEPT_HEADERS = ("Location", "ETag")

_ACCEPTED_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class IdempotentMixin(APIView):
    """For a view whose POST makes something. Put it left of the view's base class.

    The handler runs inside the transaction that also stores its answer, so it must not open a durable one.
    """

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        key = request.headers.get(HEADER)
        handler = getattr(self, "post", None)
        if request.method == "POST" and key is not None and handler is not None:
            # The view lives for one request: from here on its POST is the guarded one.
            vars(self)["post"] = partial(self._once, handler, key)

    def _once(
        self, handler: Callable[..., Response], key: str, request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        if not _ACCEPTED_KEY.fullmatch(key):
            raise exceptions.ParseError(f"{HEADER} must be 1 to 255 visible ASCII characters.")
        idempotent_request = idempotency.IdempotentRequest.build(
            key=key, client=str(request.user.pk), url=request.get_full_path(), body=request.data
        )
        with transaction.atomic():
            if not idempotency.try_lock(idempotent_request):
                return _refusal(request, problems.IN_FLIGHT, headers={"Retry-After": "1"})
            try:
                stored = idempotency.find(idempotent_request)
            except idempotency.IdempotencyKeyReused:
                return _refusal(request, problems.KEY_REUSED)
            if stored is not None:
                return _replay(stored)
            response = self._answer(handler, request, *args, **kwargs)
            if response.status_code >= problems.SERVER_ERROR.status:
                transaction.set_rollback(True)
            else:
                idempotency.store(idempotent_request, _stored(response))
        return response

    def _answer(
        self, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any
    ) -> Response:
        try:
            with transaction.atomic():  # a refused effect is undone, its answer is kept
                return handler(request, *args, **kwargs)
        except Exception as exc:  # noqa: BLE001 - handle_exception raises what it does not know
            return self.handle_exception(exc)


def _refusal(request: Request, problem: Problem, *, headers: dict[str, str] | None = None) -> Response:
    body = problem_document(
        problem, detail=problem.meaning, request_id=getattr(request._request, "request_id", None)
    )
    return Response(body, status=problem.status, headers=headers, content_type="application/problem+json")


def _stored(response: Response) -> idempotency.StoredResponse:
    return idempotency.StoredResponse(
        status=response.status_code,
        data=response.data,
        content_type=response.content_type,
        headers={name: response[name] for name in KEPT_HEADERS if name in response},
    )


def _replay(stored: idempotency.StoredResponse) -> Response:
    return Response(
        stored.data,
        status=stored.status,
        headers={**stored.headers, REPLAYED_HEADER: "true"},
        content_type=stored.content_type,
    )
