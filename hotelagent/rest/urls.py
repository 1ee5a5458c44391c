"""What every host has beside its API: the schema, its documentation, and what each problem means."""

from django.urls import path

from hotelagent.rest.documentation import Docs, Schema, problem_list

urlpatterns = [
    path("api/schema/", Schema.as_view(), name="schema"),
    path("api/docs/", Docs.as_view(), name="docs"),
    path("problems/", problem_list, name="problems"),
    path("problems/<slug:code>", problem_list, name="problem"),
]
