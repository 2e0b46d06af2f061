"""The files of deploy/: they fit their schemas, and what they say of the service is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import typer
import yaml
from tests.test_project_files import against, loaded, pins

from attrformer.cli.app import app
from attrformer.server.app import create_app
from attrformer.server.options import ServeOptions
from attrformer.server.state import Service

pytestmark = pytest.mark.slow

DEPLOY = Path(__file__).parents[1] / "deploy"
OLDEST, NEWEST = "1.30", "1.37"

KUBERNETES = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8")))
COMPOSE = loaded(DEPLOY / "compose.yaml")
(POD,) = [found["spec"]["template"] for found in KUBERNETES if found["kind"] == "Deployment"]
(CONTAINER,) = POD["spec"]["containers"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
STARTED: list[str] = yaml.safe_load(DOCKERFILE.rpartition("CMD ")[2])


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("resource", KUBERNETES, ids=[found["kind"] for found in KUBERNETES])
def test_manifests_fit_their_schema(resource: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(resource, version, strict=True)
    wrong = {**resource, "spec": {**resource["spec"], "no_such_field": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_the_compose_file_fits_its_schema(tmp_path: Path) -> None:
    assert against("compose-spec", [DEPLOY / "compose.yaml"]).returncode == 0
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump({**COMPOSE, "service": 1}), encoding="utf-8")
    assert against("compose-spec", [tmp_path / "compose.yaml"]).returncode != 0


def test_names_that_belong_together_agree() -> None:
    kinds = {found["kind"]: found for found in KUBERNETES}
    labels = POD["metadata"]["labels"]
    assert kinds["Service"]["spec"]["selector"] == labels
    assert all(
        kinds[kind]["spec"]["selector"]["matchLabels"] == labels for kind in ("Deployment", "PodDisruptionBudget")
    )
    assert kinds["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == kinds["Deployment"]["metadata"]["name"]
    (claim,) = [volume["persistentVolumeClaim"] for volume in POD["spec"]["volumes"] if volume["name"] == "models"]
    assert claim["claimName"] == kinds["PersistentVolumeClaim"]["metadata"]["name"]
    (port,) = CONTAINER["ports"]
    probes = [CONTAINER[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")]
    assert {probe["port"] for probe in probes} == {port["name"]} == {kinds["Service"]["spec"]["ports"][0]["targetPort"]}
    assert port["containerPort"] == ServeOptions().port


def test_every_probe_is_an_address_of_the_service(tmp_path: Path) -> None:
    service = Service(tmp_path, ServeOptions())
    try:
        routes = {route.path for route in create_app(service).routes if hasattr(route, "path")}
    finally:
        service.close()
    probes = {CONTAINER[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "readiness", "liveness")}
    checked = re.findall(r"http-check send meth GET uri (\S+)", (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8"))
    assert checked == ["/readyz"] and {*probes, *checked} == {"/readyz", "/healthz"} <= routes


@pytest.mark.parametrize(
    ("words", "grace"),
    [
        (CONTAINER["args"], POD["spec"]["terminationGracePeriodSeconds"]),
        (
            COMPOSE["services"]["replica"]["command"],
            int(COMPOSE["services"]["replica"]["stop_grace_period"].rstrip("s")),
        ),
        (STARTED, 45),
    ],
    ids=["kubernetes", "compose", "image"],
)
def test_what_is_started_can_be_given_and_has_time_to_end(words: list[str], grace: int) -> None:
    serve = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    given = serve.make_context(words[0], list(words[1:])).params
    assert str(given["run"]) == "/models" and given["host"] == "0.0.0.0"
    assert given["drain"] > 0 and grace > given["drain"] + given["grace"]


def test_replicas_may_write_nothing_but_temporary_files() -> None:
    security = CONTAINER["securityContext"]
    assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
    assert {mount["mountPath"]: mount.get("readOnly", False) for mount in CONTAINER["volumeMounts"]} == {
        "/models": True,
        "/tmp": False,
    }
    replica = COMPOSE["services"]["replica"]
    assert replica["read_only"] and [mount["read_only"] for mount in replica["volumes"]] == [True]
    user = re.search(r"^USER (\d+):\d+$", DOCKERFILE, flags=re.MULTILINE)
    assert user is not None and int(user[1]) == POD["spec"]["securityContext"]["runAsUser"] != 0


def test_the_image_installs_what_the_lock_says_for_a_python_that_it_is_for() -> None:
    base = re.search(r"^ARG BASE=python:(3\.\d+)\.\d+-slim-\w+$", DOCKERFILE, flags=re.MULTILINE)
    assert base is not None and base[1] in ("3.11", "3.12", "3.13")
    copied = [
        word
        for line in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, flags=re.MULTILINE)
        for word in shlex.split(line)
    ]
    ignored = (DEPLOY.parent / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{name}" for name in copied} <= set(ignored) and all((DEPLOY.parent / name).exists() for name in copied)
    assert "requirements/lock.txt" in copied and "--constraint lock.txt" in DOCKERFILE and "torch" in pins("lock.txt")
