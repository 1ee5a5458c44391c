"""Tests of the Kubernetes overlays: kustomize renders them, and the API schemas of Kubernetes accept the result."""

import functools
import json
import runpy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from django.conf import settings
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from hotelagent.settings.environment import SECRETS
from tests.deploy import tools
from tests.deploy.test_references import variables_of_example

OVERLAYS = ("staging", "production", "canary")
#: Versions of Kubernetes. The sleep of `preStop` needs at least 1.30.
VERSIONS = ("1.31.0", "1.34.0", "1.37.0")
SECRETS_FOLDER = "/run/secrets/hotelagent/"
#: A setting whose value is the path of a file. The other variables with the suffix _FILE replace a variable of SECRETS.
KEY_FILE = "AUDIT_SIGNING_KEY_FILE"
Object = dict[str, Any]


@pytest.fixture(autouse=True)
def _require_installed_tools() -> None:
    tools.require_installed()


@functools.cache
def render(overlay: str) -> list[Object]:
    done = tools.run("kubectl", "kustomize", f"deploy/kubernetes/overlays/{overlay}")
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def objects(overlay: str, kind: str) -> list[Object]:
    return [document for document in render(overlay) if document["kind"] == kind]


def templates(overlay: str) -> Iterator[tuple[str, Object]]:
    """Yield the name of each Deployment and Job of the overlay, and the template of its pods."""
    for document in objects(overlay, "Deployment") + objects(overlay, "Job"):
        yield document["metadata"]["name"], document["spec"]["template"]


def matches(selector: Object, labels: dict[str, str]) -> bool:
    """Return whether a label selector with `matchLabels` and the operator `In` selects these labels."""
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(expression["key"]) in expression["values"]
        for expression in selector.get("matchExpressions", [])
    )


@functools.cache
def load_definitions(version: str) -> Registry[Any]:
    path = tools.SCHEMAS / f"v{version}-local-strict" / "_definitions.json"
    return Resource.from_contents(json.loads(path.read_text())) @ Registry()


def find_schema_errors(document: Object, version: str) -> list[str]:
    """Return what the API of this version of Kubernetes would refuse. Unknown fields are errors."""
    group, _slash, api_version = document["apiVersion"].rpartition("/")
    name = "-".join(filter(None, (document["kind"].lower(), group.split(".")[0], api_version)))
    schema = json.loads((tools.SCHEMAS / f"v{version}-local-strict" / f"{name}.json").read_text())
    registry = Resource.from_contents(schema) @ load_definitions(version)
    return [error.message for error in Draft202012Validator(schema, registry=registry).iter_errors(document)]


@pytest.mark.parametrize("version", VERSIONS)
def test_overlays_are_valid_in_three_versions_of_kubernetes(version: str) -> None:
    documents = {
        (document["kind"], document["metadata"]["name"]): document
        for overlay in OVERLAYS
        for document in render(overlay)
    }
    problems = {key: find_schema_errors(document, version) for key, document in documents.items()}
    assert len(problems) > 20
    assert {key: found for key, found in problems.items() if found} == {}


def _misspell_a_field(deployment: Object) -> None:
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["readynessProbe"] = container.pop("readinessProbe")


def _set_a_word_for_a_number(deployment: Object) -> None:
    deployment["spec"]["revisionHistoryLimit"] = "five"


@pytest.mark.parametrize("spoil", [_misspell_a_field, _set_a_word_for_a_number])
def test_schema_of_kubernetes_refuses_a_deployment_with_a_mistake(spoil: Callable[[Object], None]) -> None:
    [deployment] = [item for item in objects("production", "Deployment") if item["metadata"]["name"] == "web"]
    deployment = json.loads(json.dumps(deployment))
    spoil(deployment)
    assert find_schema_errors(deployment, VERSIONS[-1])


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pods_meet_the_restricted_security_standard(overlay: str) -> None:
    for name, template in templates(overlay):
        pod = template["spec"]["securityContext"]
        assert pod["runAsNonRoot"] is True, name
        assert pod["runAsUser"] > 0, name
        assert pod["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert template["spec"]["automountServiceAccountToken"] is False, name
        assert {next(iter(set(volume) - {"name"})) for volume in template["spec"]["volumes"]} <= {
            "emptyDir",
            "secret",
        }
        for container in template["spec"]["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }, name
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys(), name
            assert "memory" in container["resources"]["limits"], name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_selectors_and_scale_targets_select_pods_of_the_overlay(overlay: str) -> None:
    labels = {name: template["metadata"]["labels"] for name, template in templates(overlay)}
    selectors = [{"matchLabels": service["spec"]["selector"]} for service in objects(overlay, "Service")] + [
        document["spec"][field]
        for kind, field in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector"))
        for document in objects(overlay, kind)
    ]
    assert selectors
    for selector in selectors:
        assert any(matches(selector, pod) for pod in labels.values()), selector
    for scaler in objects(overlay, "HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] in labels
    for ingress in objects(overlay, "Ingress"):
        backends = [
            path["backend"]["service"]["name"]
            for rule in ingress["spec"]["rules"]
            for path in rule["http"]["paths"]
        ]
        assert set(backends) == {service["metadata"]["name"] for service in objects(overlay, "Service")}


def test_service_of_other_hotels_does_not_select_pods_of_the_canary() -> None:
    [service] = objects("production", "Service")
    selector = {"matchLabels": service["spec"]["selector"]}
    [canary] = [template for name, template in templates("canary") if name == "web-canary"]
    [stable] = [template for name, template in templates("production") if name == "web"]
    assert matches(selector, stable["metadata"]["labels"])
    assert not matches(selector, canary["metadata"]["labels"])


def test_network_policies_of_production_cover_the_pods_of_the_canary() -> None:
    policies = {
        policy["metadata"]["name"]: policy["spec"] for policy in objects("production", "NetworkPolicy")
    }
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    def applied_to(template: Object) -> set[str]:
        labels = template["metadata"]["labels"]
        return {name for name, policy in policies.items() if matches(policy["podSelector"], labels)}

    production = {name: applied_to(template) for name, template in templates("production")}
    canary = {name: applied_to(template) for name, template in templates("canary")}
    assert canary == {f"{name}-canary": production[name] for name in ("web", "migrate")}
    # Only pods that use the direct connection reach PostgreSQL past the pooler.
    assert {name for name, found in production.items() if "direct-connection" in found} == {
        "worker",
        "migrate",
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_secrets_are_files_that_the_pod_mounts(overlay: str) -> None:
    for name, template in templates(overlay):
        [secret] = [volume["secret"] for volume in template["spec"]["volumes"] if "secret" in volume]
        mounted = {SECRETS_FOLDER + item["path"] for item in secret["items"]}
        variables = {
            variable["name"]: variable["value"]
            for container in template["spec"]["containers"]
            for variable in container["env"]
            if variable["name"].endswith("_FILE")
        }
        assert set(variables.values()) == mounted, name
        assert variables.keys() - {f"{secret}_FILE" for secret in SECRETS} <= {KEY_FILE}
        assert ("DATABASE_DIRECT_URL_FILE" in variables) == name.startswith(("worker", "migrate"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_settings_of_the_overlay_are_variables_of_a_deployment_and_not_secret(overlay: str) -> None:
    [config] = objects(overlay, "ConfigMap")
    assert {"PLATFORM_HOST", "DEFAULT_FROM_EMAIL"} <= config["data"].keys() <= variables_of_example()
    assert not config["data"].keys() & SECRETS
    # The migration starts before the other objects of the new version exist, so its ConfigMap is created with it.
    assert config["metadata"]["labels"]["part"] == "settings"


def test_grace_period_of_pods_is_longer_than_the_shutdown_of_their_processes() -> None:
    periods = {
        name: template["spec"].get("terminationGracePeriodSeconds")
        for name, template in templates("production")
    }
    [web] = [template for name, template in templates("production") if name == "web"]
    stop = web["spec"]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    gunicorn = runpy.run_path(str(settings.BASE_DIR / "deploy" / "gunicorn.conf.py"))
    assert periods["web"] > stop + gunicorn["graceful_timeout"]
    assert periods["worker"] > settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT
