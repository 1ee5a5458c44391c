"""The metrics and labels that a PromQL expression names, and what Grafana and Prometheus request with them."""

import importlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from tests.architecture.modules import modules

DEPLOY = Path(settings.BASE_DIR) / "deploy"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
RULES = sorted(path for path in (DEPLOY / "prometheus").glob("*.yml") if "groups:" in path.read_text())
#: The labels that Prometheus adds to each metric.
TARGET_LABELS = frozenset({"job", "instance"})

_WORDS = frozenset({"and", "or", "unless", "offset", "bool", "inf", "nan"})
_STRING = re.compile(r'"[^"]*"')
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_RANGE = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")
#: A name that is not followed by an opening parenthesis, as the name of a function is.
_SELECTOR = re.compile(r"(?<![\w.])([a-zA-Z_:][\w:]*+)(?!\s*\()\s*(\{[^}]*\})?")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_VARIABLE_QUERY = re.compile(r"label_values\((.+), (\w+)\)")


@dataclass(slots=True)
class Names:
    """The metrics of an expression with the labels in their matchers, and the labels that the result is grouped by."""

    selectors: list[tuple[str, frozenset[str]]]
    grouping: frozenset[str]


@dataclass(slots=True)
class Query:
    """An expression, where it is, and the labels that its legend or its annotations show."""

    place: str
    expression: str
    shown: frozenset[str] = field(default=frozenset())


def names_in(expression: str) -> Names:
    text = _STRING.sub('""', expression)
    grouping = {
        label.strip()
        for _kind, labels in _GROUPING.findall(text)
        for label in labels.split(",")
        if label.strip()
    }
    text = _RANGE.sub(" ", _GROUPING.sub(" ", text))
    return Names(
        selectors=[
            (name, frozenset(_MATCHER.findall(matchers)))
            for name, matchers in _SELECTOR.findall(text)
            if name.lower() not in _WORDS
        ],
        grouping=frozenset(grouping),
    )


def queries_of_dashboards() -> list[Query]:
    return [
        query
        for path in DASHBOARDS
        for query in queries_of_dashboard(path.name, json.loads(path.read_text()))
    ]


def queries_of_dashboard(name: str, dashboard: dict[str, Any]) -> list[Query]:
    """Return the queries of the panels and of the variables."""
    queries = [
        Query(
            f"{name}: {panel['title']}",
            target["expr"],
            frozenset(re.findall(r"{{(\w+)}}", target.get("legendFormat", ""))),
        )
        for panel in dashboard["panels"]
        for target in panel["targets"]
    ]
    for variable in dashboard["templating"]["list"]:
        match = _VARIABLE_QUERY.fullmatch(variable["query"]["query"])
        assert match, variable["query"]
        queries.append(Query(f"{name}: ${variable['name']}", match[1], frozenset({match[2]})))
    return queries


def rules() -> list[tuple[str, dict[str, Any]]]:
    """Return the rules of all files, each with the name of its file."""
    return [
        (path.name, rule)
        for path in RULES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
    ]


def queries_of_rules() -> list[Query]:
    return [
        Query(
            f"{name}: {rule.get('alert') or rule['record']}",
            rule["expr"],
            frozenset(re.findall(r"\$labels\.(\w+)", json.dumps(rule.get("annotations", {})))),
        )
        for name, rule in rules()
    ]


def own_labels() -> dict[str, frozenset[str]]:
    """Return the labels of the time series that the project exposes, by their names."""
    for module, source in modules().items():
        if "hotelagent.core.metrics import" in source.read_text():
            importlib.import_module(module)  # registers its metrics
    found: dict[str, frozenset[str]] = {}
    for collector in set(REGISTRY._collector_to_names):
        if isinstance(collector, MetricWrapperBase):
            described = [(family, frozenset(collector._labelnames)) for family in collector.describe()]
        else:
            families: list[Metric] = list(getattr(collector, "describe", list)())
            described = [(family, frozenset(getattr(family, "_labelnames", ()))) for family in families]
        for family, labels in described:
            suffixes = {"counter": ("_total",), "histogram": ("_count", "_sum")}.get(family.type, ("",))
            found |= {family.name + suffix: labels for suffix in suffixes}
            if family.type == "histogram":
                found[f"{family.name}_bucket"] = labels | {"le"}
    return found


def recorded_metrics() -> set[str]:
    """Return the names of the metrics that recording rules compute."""
    return {rule["record"] for _name, rule in rules() if "record" in rule}


def faults_of(query: Query, labels_of: dict[str, frozenset[str]]) -> list[str]:
    """Return what the query names although no metric has it. `labels_of` contains the labels of each metric."""
    names = names_in(query.expression)
    faults = [] if names.selectors else [f"{query.place}: no metric"]
    known: set[str] = set(TARGET_LABELS)
    for metric, matched in names.selectors:
        labels = labels_of.get(metric)
        if labels is None:
            faults.append(f"{query.place}: no metric {metric}")
            continue
        known |= labels
        faults += [
            f"{query.place}: {metric} has no label {label}" for label in matched - labels - TARGET_LABELS
        ]
    faults += [f"{query.place}: no metric has the label {label}" for label in names.grouping - known]
    shown_labels = names.grouping or known
    faults += [f"{query.place}: the result has no label {label}" for label in query.shown - shown_labels]
    return faults
