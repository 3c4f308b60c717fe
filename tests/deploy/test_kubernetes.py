"""The Kubernetes manifests are what the interface knows, and ask for no more than the services need."""

import tomllib
from collections.abc import Iterator
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped] # it ships no types
import pytest
import yaml

from scripts.kubernetes import NAMESPACE, objects
from services.runtime.settings import KafkaSettings, Settings
from tests.deploy.conftest import ROOT

_OBJECTS = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/garonne.yaml").read_text("utf-8")))


def _name(each: dict[str, Any]) -> str:
    return f"{each['kind']}/{each['metadata']['name']}"


def _pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for each in _OBJECTS:
        spec = each.get("spec", {})
        if "jobTemplate" in spec:
            spec = spec["jobTemplate"]["spec"]
        if "template" in spec:
            yield _name(each), spec["template"]["spec"]


_PODS = dict(_pods())


@pytest.mark.parametrize("each", _OBJECTS, ids=_name)
def test_an_object_is_what_the_interface_knows(each: dict[str, Any]) -> None:
    """By the schemas of the Kubernetes interface; a field that it does not know fails."""
    kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)


def test_a_misspelt_field_would_be_seen() -> None:
    """The check above can fail."""
    wrong = next(each for each in objects() if each["kind"] == "Deployment")
    wrong["spec"]["stratgy"] = wrong["spec"].pop("strategy")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, kubernetes_validate.latest_version(), strict=True)


def test_everything_lies_in_one_namespace_of_restricted_pods() -> None:
    """The namespace refuses pods that may more."""
    namespace = next(each for each in _OBJECTS if each["kind"] == "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {each["metadata"]["namespace"] for each in _OBJECTS if each is not namespace} == {NAMESPACE}


@pytest.mark.parametrize("name", _PODS)
def test_a_pod_is_no_root_writes_nothing_and_knows_its_limits(name: str) -> None:
    """What the profile `restricted` asks for, a root file system that cannot be written, processor and memory."""
    pod = _PODS[name]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"]
        assert not context["allowPrivilegeEscalation"]
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert set(container["resources"]["limits"]) == {"cpu", "memory"}


@pytest.mark.parametrize("name", _PODS)
def test_secrets_are_files_and_the_configuration_names_none_that_a_pod_lacks(name: str) -> None:
    """No variable holds a secret; every file that a variable names is mounted."""
    pod = _PODS[name]
    (sources,) = [each["projected"]["sources"] for each in pod["volumes"] if "projected" in each]
    mounted = {item["path"] for source in sources if "secret" in source for item in source["secret"]["items"]}
    for variable in pod["containers"][0]["env"]:
        assert "secretKeyRef" not in variable.get("valueFrom", {})
        if variable["name"].endswith("_FILE"):
            assert variable["value"].removeprefix("/etc/garonne/") in mounted


def test_the_configuration_is_the_one_of_compose_and_is_right() -> None:
    """The very file, read by the services' own rules."""
    (text,) = [each["data"]["garonne.toml"] for each in _OBJECTS if each["kind"] == "ConfigMap"]
    assert text == (ROOT / "deploy/garonne.toml").read_text("utf-8")
    assert Settings.model_validate(tomllib.loads(text)).storage == "servers"


def test_each_process_of_ingest_has_a_session_of_its_own_that_outlives_it() -> None:
    """The stable name of a pod is its client id: it finds its session again; and they share one subscription."""
    ingest = next(each for each in _OBJECTS if each["kind"] == "StatefulSet")
    variables = {each["name"]: each for each in _PODS["StatefulSet/ingest"]["containers"][0]["env"]}
    assert variables["GARONNE_MQTT__CLIENT_ID"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert variables["GARONNE_MQTT__SHARE_GROUP"]["value"]
    scaled = [each["spec"]["scaleTargetRef"]["name"] for each in _OBJECTS if each["kind"] == "HorizontalPodAutoscaler"]
    assert ingest["spec"]["replicas"] > 1
    assert scaled == ["aggregator"]


def test_there_are_never_more_aggregators_than_partitions() -> None:
    """The others would have nothing to read."""
    (scaler,) = [each["spec"] for each in _OBJECTS if each["kind"] == "HorizontalPodAutoscaler"]
    assert scaler["maxReplicas"] <= KafkaSettings().partitions
