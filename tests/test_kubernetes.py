"""The Kubernetes profile without a cluster: its files agree, and its executor is answered by a stand-in.

The stand-in speaks as much of Kubernetes' interface as Snakemake's executor asks for, keeps the jobs that are
submitted, and runs each job's own command in an empty folder, as a pod would.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from softlabels.paths import PROJECT

PROFILE = yaml.safe_load((PROJECT / "workflow/profiles/kubernetes/config.yaml").read_text())
OBJECTS = list(yaml.safe_load_all((PROJECT / "workflow/kubernetes.yaml").read_text()))
CONTAINER = (PROJECT / "Containerfile").read_text()
PLUGINS = ("snakemake_executor_plugin_kubernetes", "snakemake_storage_plugin_fs")


def of_kind(kind):
    return next(found for found in OBJECTS if found["kind"] == kind)


def test_volume_profile_and_container_agree_on_places():
    name, place = PROFILE["kubernetes-persistent-volumes"][0].split(":")
    assert of_kind("PersistentVolumeClaim")["metadata"]["name"] == name
    pod = of_kind("Pod")["spec"]
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == name
    assert pod["containers"][0]["volumeMounts"] == [{"name": name, "mountPath": place}]
    stores = dict(re.findall(r"(SOFTLABELS_\w+)=(\S+)", CONTAINER))
    assert set(stores) == {"SOFTLABELS_CACHE", "SOFTLABELS_RESULTS", "SOFTLABELS_DATA"}
    assert all(path.startswith(f"{place}/") for path in [*stores.values(), PROFILE["default-storage-prefix"]])


def test_the_container_has_the_locked_environment_of_a_supported_python():
    assert "--require-hashes -r /tmp/requirements.lock" in CONTAINER
    assert re.search(r"^FROM \S+/python:3\.1[123]-slim$", CONTAINER, re.MULTILINE)
    for line in re.findall(r"^COPY (.+) \S+$", CONTAINER, re.MULTILINE):
        assert all((PROJECT / source).exists() for source in line.split())


def test_the_pod_may_do_what_the_executor_does_and_no_more():
    rules = {r: set(rule["verbs"]) for rule in of_kind("Role")["rules"] for r in rule["resources"]}
    assert {"create", "get", "delete"} <= rules["jobs"]
    assert rules["secrets"] == {"create", "delete"}
    assert "*" not in set(rules) | set().union(*rules.values())
    account = of_kind("ServiceAccount")["metadata"]["name"]
    assert of_kind("Pod")["spec"]["serviceAccountName"] == account
    assert of_kind("RoleBinding")["subjects"] == [{"kind": "ServiceAccount", "name": account}]


class StandIn(BaseHTTPRequestHandler):
    """Answers of a cluster with one patient node."""

    jobs: dict[str, dict]
    codes: dict[str, int]
    pods: Path
    environment: dict[str, str]

    def answer(self, body, status=200):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.split("?")[0].endswith("/jobs"):
            name = body["metadata"]["name"]
            self.jobs[name] = body
            container = body["spec"]["template"]["spec"]["containers"][0]
            workdir = self.pods / name
            workdir.mkdir()
            command = [*container["command"], *container["args"]]
            with (self.pods / f"{name}.log").open("w") as log:
                done = subprocess.run(command, cwd=workdir, env=self.environment, stdout=log, stderr=log)
            self.codes[name] = done.returncode
        self.answer(body, 201)

    def do_GET(self):
        if "/pods" in self.path:
            self.answer({"kind": "PodList", "apiVersion": "v1", "items": []})
            return
        name = self.path.split("/jobs/")[1].split("/")[0]
        state = "succeeded" if self.codes[name] == 0 else "failed"
        self.answer({**self.jobs[name], "status": {state: 1}})

    def do_DELETE(self):
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def log_message(self, *words):
        pass


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[type[StandIn]]:
    handler = type("Handler", (StandIn,), {"jobs": {}, "codes": {}, "pods": tmp_path / "pods"})
    handler.pods.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = {"name": "here", "context": {"cluster": "here", "user": "me"}}
    configuration = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [context],
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "me", "user": {}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(configuration))
    yield handler
    server.shutdown()


def without_installing(folder: Path) -> str:
    """A folder with a `pip` that has everything already: jobs ask it for the storage plugin."""
    folder.mkdir()
    (folder / "pip").write_text("#!/bin/sh\nexit 0\n")
    (folder / "pip").chmod(0o755)
    return str(folder)


def without_records(folder: Path) -> Path:
    """A copy of the project as it is now, without records: Snakemake packs every file of it for each job."""
    for name in ("book", "lib", "notebooks", "workflow"):
        shutil.copytree(
            PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
        )
    for command in ("init -q", "add ."):  # it asks git which files there are
        subprocess.run(["git", *command.split()], cwd=folder, check=True)
    return folder


@pytest.mark.skipif(
    not all(map(find_spec, PLUGINS)) or shutil.which("rsync") is None,
    reason="needs the extra 'cluster' and rsync",
)
def test_submitted_jobs_ask_for_a_gpu_and_train_in_an_empty_folder(cluster, tmp_path):
    stores = {f"SOFTLABELS_{name}": str(tmp_path / name.lower()) for name in ("CACHE", "RESULTS")}
    path = os.pathsep.join(
        [without_installing(tmp_path / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    )
    project = without_records(tmp_path / "project")
    cluster.environment = {**os.environ, **stores, "PATH": path, "PYTHONPATH": str(project / "lib")}
    command = [sys.executable, "-m", "snakemake", "trained", "--snakefile", "workflow/Snakefile"]
    command += ["--workflow-profile", "workflow/profiles/kubernetes", "--container-image", "some/image"]
    command += ["--default-storage-prefix", str(tmp_path / "storage"), "--seconds-between-status-checks", "1"]
    command += ["--jobs", "1", "--retries", "0"]
    asked = ["--config", "train=true", "profile=smoke", "seeds=0", "grids=figure1", "device=cuda"]
    environment = {**cluster.environment, "KUBECONFIG": str(tmp_path / "kubeconfig")}
    done = subprocess.run(
        [*command, *asked], cwd=project, env=environment, capture_output=True, text=True, timeout=500
    )
    logs = "\n".join(log.read_text()[-3000:] for log in cluster.pods.glob("*.log"))
    assert done.returncode == 0, done.stderr[-3000:] + logs
    assert len(list((tmp_path / "cache" / "runs").glob("*.json"))) == 2
    for job in cluster.jobs.values():
        pod = job["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert container["image"] == "some/image"
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
        assert container["resources"]["requests"]["memory"].endswith("M")
        assert {"name": "softlabels", "mountPath": "/softlabels"} in container["volumeMounts"]
        assert any(
            v.get("persistentVolumeClaim", {}).get("claimName") == "softlabels" for v in pod["volumes"]
        )
