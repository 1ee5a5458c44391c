"""The URLs of the API documentation. The paths are the same on hotels' hosts and on the platform's host."""

from django.urls import path

from hotelagent.rest.documentation.views import DocumentationView, SchemaView, problem_list

urlpatterns = [
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", DocumentationView.as_view(), name="docs"),
    path("problems/", problem_list, name="problems"),
    path("problems/<slug:code>", problem_list, name="problem"),
]
