"""Kubernetes manifests: the two services, the nightly work and how they grow; written from one place.

The servers are not here: an MQTT broker, Kafka and InfluxDB come from their own operators or as services of a provider.
What they need of Garonne (topics, users, buckets) is made by `deploy/kafka/set_up.py` and `deploy/influxdb/set_up.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from services.runtime.settings import KafkaSettings

__all__ = ["manifests", "objects"]

ROOT: Final = Path(__file__).resolve().parent.parent
NAMESPACE: Final = "garonne"
VERSION: Final = "0.1.0"
INGEST_PROCESSES: Final = 2
MOST_AGGREGATORS: Final = KafkaSettings().partitions
"""Never more than the partitions of a topic: the others would have nothing to read (docs/operations/scaling.md)."""
LAG_PER_AGGREGATOR: Final = "20k"
"""Records that may wait for each process: about two seconds of its work."""

_HEAD: Final = """\
# Written by scripts/kubernetes.py: change it there, then run scripts/generate.
# kubectl create namespace garonne, then the secret `garonne` from deploy/secrets (deploy/README.md), then:
#   kubectl apply --server-side -f deploy/kubernetes/garonne.yaml
"""

Object = dict[str, Any]


def objects() -> list[Object]:
    """Everything in the order in which it is applied."""
    return [
        _object("v1", "Namespace", NAMESPACE, labels={"pod-security.kubernetes.io/enforce": "restricted"}),
        _object("v1", "ServiceAccount", "garonne", automountServiceAccountToken=False),
        _object(
            "v1", "ConfigMap", "garonne", data={"garonne.toml": (ROOT / "deploy" / "garonne.toml").read_text("utf-8")}
        ),
        *_ingest(),
        *_aggregator(),
        _nightly(),
        *_network(),
    ]


def manifests() -> str:
    """All objects as one YAML stream."""
    texts = (yaml.dump(each, sort_keys=False, width=120, Dumper=_Plain) for each in objects())
    return _HEAD + "".join("---\n" + text for text in texts)


class _Plain(yaml.SafeDumper):
    """Long texts as blocks, and no anchors."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _block(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _block)


def _object(api: str, kind: str, name: str, labels: Mapping[str, str] | None = None, **content: object) -> Object:
    metadata: Object = {"name": name, "labels": {"app.kubernetes.io/part-of": "garonne", **(labels or {})}}
    if kind != "Namespace":
        metadata["namespace"] = NAMESPACE
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **content}


def _labels(service: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": service, "app.kubernetes.io/part-of": "garonne"}


def _variables(values: Mapping[str, str]) -> list[Object]:
    return [
        {"name": name, "value": value}
        for name, value in {"GARONNE_CONFIG": "/etc/garonne/garonne.toml", **values}.items()
    ]


def _files(secrets: Sequence[str]) -> Object:
    """The configuration, and beside it those files of the secret that this service may read, and no others."""
    items = [{"key": name, "path": f"secrets/{name}"} for name in secrets]
    sources = [{"configMap": {"name": "garonne"}}, {"secret": {"name": "garonne", "items": items}}]
    return {"name": "configuration", "projected": {"defaultMode": 0o440, "sources": sources}}


def _container(service: str, command: str, port: int, memory: str, variables: Sequence[Object]) -> Object:
    def probe(path: str, **times: int) -> Object:
        return {"httpGet": {"path": path, "port": "metrics", "scheme": "HTTPS"}, **times}

    return {
        "name": service,
        "image": f"garonne/{service}:{VERSION}",
        "args": [command],
        "env": list(variables),
        "ports": [{"name": "metrics", "containerPort": port}],
        "readinessProbe": probe("/readyz", periodSeconds=10, timeoutSeconds=5),
        "livenessProbe": probe("/healthz", periodSeconds=15, timeoutSeconds=5, failureThreshold=4),
        # One core is what one process can use: more load is more processes.
        "resources": {"requests": {"cpu": "500m", "memory": memory}, "limits": {"cpu": "1", "memory": memory}},
        **_contained(),
    }


def _contained() -> Object:
    return {
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "configuration", "mountPath": "/etc/garonne", "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - inside a container of its own
        ],
    }


def _pod(service: str, container: Object, secrets: Sequence[str], **more: object) -> Object:
    return {
        "serviceAccountName": "garonne",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [_files(secrets), {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
        "topologySpreadConstraints": [_spread(service)],
        **more,
    }


def _spread(service: str) -> Object:
    return {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": _labels(service)},
    }


def _ingest() -> Iterator[Object]:
    """A set with stable names: the name of a pod is the name of its session at the broker."""
    labels = _labels("ingest")
    variables = [
        *_variables({"GARONNE_MQTT__SHARE_GROUP": "garonne"}),
        {"name": "GARONNE_MQTT__CLIENT_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    secrets = ["garonne.key", "ca.crt", "mqtt_ingest.password", "kafka_ingest.password", "ingest.crt", "ingest.key",
               "metrics.token"]  # fmt: skip
    yield _object("v1", "Service", "ingest", labels, spec=_headless("ingest", 9101))
    yield _object(
        "apps/v1",
        "StatefulSet",
        "ingest",
        labels,
        spec={
            # A fixed number: a pod that is taken away for good leaves a session with messages in flight at the broker.
            "replicas": INGEST_PROCESSES,
            "serviceName": "ingest",
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": _pod(
                    "ingest",
                    _container("ingest", "ingest", 9101, "512Mi", variables),
                    secrets,
                    terminationGracePeriodSeconds=30,
                ),
            },
        },
    )
    yield _disruption("ingest")


def _aggregator() -> Iterator[Object]:
    """As many as the lag asks for: a process keeps nothing that the log and the time series do not have."""
    labels = _labels("aggregator")
    variables = _variables(
        {
            "GARONNE_KAFKA__USERNAME": "aggregator",
            "GARONNE_KAFKA__PASSWORD_FILE": "/etc/garonne/secrets/kafka_aggregator.password",
        }
    )
    secrets = ["garonne.key", "ca.crt", "kafka_aggregator.password", "aggregator.token", "aggregator.crt",
               "aggregator.key", "metrics.token"]  # fmt: skip
    yield _object("v1", "Service", "aggregator", labels, spec=_headless("aggregator", 9102))
    yield _object(
        "apps/v1",
        "Deployment",
        "aggregator",
        labels,
        spec={
            "selector": {"matchLabels": labels},
            # One goes before the next comes: a consumer group divides its partitions anew each time.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
            "template": {
                "metadata": {"labels": labels},
                "spec": _pod(
                    "aggregator",
                    _container("aggregator", "aggregate", 9102, "1Gi", variables),
                    secrets,
                    terminationGracePeriodSeconds=30,
                ),
            },
        },
    )
    yield _disruption("aggregator")
    yield _object("autoscaling/v2", "HorizontalPodAutoscaler", "aggregator", labels, spec=_on_lag())


def _on_lag() -> Object:
    """Consumer-group lag, by the metrics adapter of the cluster's Prometheus."""
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "aggregator"},
        "minReplicas": 1,
        "maxReplicas": MOST_AGGREGATORS,
        "metrics": [
            {
                "type": "External",
                "external": {
                    "metric": {"name": "garonne_aggregator_lag"},
                    "target": {"type": "AverageValue", "averageValue": LAG_PER_AGGREGATOR},
                },
            }
        ],
        "behavior": {
            # A member that comes or goes makes all others wait: up at once, down after a quarter of an hour.
            "scaleUp": {
                "stabilizationWindowSeconds": 60,
                "policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}],
            },
            "scaleDown": {
                "stabilizationWindowSeconds": 900,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 300}],
            },
        },
    }


def _headless(service: str, port: int) -> Object:
    return {
        "clusterIP": "None",
        "selector": _labels(service),
        "ports": [{"name": "metrics", "port": port, "targetPort": "metrics"}],
    }


def _disruption(service: str) -> Object:
    spec = {"maxUnavailable": 1, "selector": {"matchLabels": _labels(service)}}
    return _object("policy/v1", "PodDisruptionBudget", service, _labels(service), spec=spec)


def _nightly() -> Object:
    container = {
        "name": "report",
        "image": f"garonne/report:{VERSION}",
        "args": ["kpi"],
        "env": _variables({"GARONNE_INFLUXDB__TOKEN_FILE": "/etc/garonne/secrets/report.token"}),
        "resources": {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}},
        **_contained(),
    }
    return _object(
        "batch/v1",
        "CronJob",
        "kpi",
        _labels("report"),
        spec={
            "schedule": "30 3 * * *",
            "timeZone": "Europe/Paris",
            "concurrencyPolicy": "Forbid",
            "jobTemplate": {
                "spec": {
                    "backoffLimit": 3,
                    "activeDeadlineSeconds": 3600,
                    "template": {
                        "metadata": {"labels": _labels("report")},
                        "spec": _pod(
                            "report", container, ["garonne.key", "ca.crt", "report.token"], restartPolicy="Never"
                        ),
                    },
                }
            },
        },
    )


def _network() -> Iterator[Object]:
    """Nothing comes in but the scraper; each service reaches the servers that it uses and the names' service."""
    everything: Object = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    yield _object("networking.k8s.io/v1", "NetworkPolicy", "nothing", spec=everything)
    for service, ports in (("ingest", (8885, 9092)), ("aggregator", (9092, 8086)), ("report", (8086,))):
        scraper = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
        spec: Object = {
            "podSelector": {"matchLabels": _labels(service)},
            "policyTypes": ["Ingress", "Egress"],
            "egress": [
                {"ports": [{"protocol": each, "port": 53} for each in ("UDP", "TCP")]},
                {"ports": [{"protocol": "TCP", "port": port} for port in ports]},
            ],
        }
        if service != "report":
            spec["ingress"] = [{"from": [scraper], "ports": [{"protocol": "TCP", "port": "metrics"}]}]
        yield _object("networking.k8s.io/v1", "NetworkPolicy", service, _labels(service), spec=spec)
