"""The URLs of hotels in the tests of rolling upgrades: those of the project, and the notes of the release."""

import time
from importlib import import_module

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from hotelagent.urls import hotel
from tests.upgrade import tasks
from tests.upgrade.settings import RELEASE

release = import_module(f"tests.upgrade.releases.{RELEASE}.models")


@csrf_exempt
def notes(request: HttpRequest) -> HttpResponse:
    """Return the newest notes. With POST, create a note first, and enqueue a task that confirms the note.

    With `?seconds=0.5`, the request and the task each take half a second longer.
    """
    seconds = float(request.GET.get("seconds", 0))
    if request.method == "POST":
        note = release.create(request.body.decode())
        tasks.confirm.delay_on_commit(note.pk, seconds)
    time.sleep(seconds)
    newest = release.Note.objects.order_by("-pk")[:5]
    return JsonResponse({"release": RELEASE, "texts": [release.text_of(note) for note in newest]})


urlpatterns = [*hotel.urlpatterns, path("notes/", notes)]
handler500 = hotel.handler500
