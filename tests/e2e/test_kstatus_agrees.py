"""kstatus itself, which Flux and `helm --wait` use, concludes from our resources what the recorded ones say."""

import json
import shutil
import subprocess

import pytest
from tests.support.cluster import Cluster
from tests.support.recorded import recorded

pytestmark = pytest.mark.e2e

NEW = """
apiVersion: mailhaul.dev/v1alpha1
kind: UpstreamProvider
metadata: {name: inbox}
spec: {type: capture}
---
apiVersion: mailhaul.dev/v1alpha1
kind: SmtpRelay
metadata: {name: smtp-relay}
spec: {upstreams: [{providerRef: {name: inbox}}]}
---
apiVersion: mailhaul.dev/v1alpha1
kind: MailAlias
metadata: {name: sales}
spec:
  relayRef: {name: smtp-relay}
  addresses: [{value: sales@example.com}]
  destinations: [{name: alice, mailbox: {address: alice@example.net}}]
"""


def _concluded(cluster: Cluster, items: list[dict[str, object]]) -> list[tuple[str, ...]]:
    """Name and conclusion of each."""
    program = shutil.which("kstatus", path=cluster.environment["PATH"])
    if program is None:
        pytest.skip("needs the kstatus program on the cluster's PATH")
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    done = subprocess.run([program], input=listed, capture_output=True, text=True, timeout=60, check=True)
    return [tuple(line.split("\t")[1:3]) for line in done.stdout.splitlines()]


def test_kstatus_concludes_what_the_recorded_resources_say(cluster: Cluster) -> None:
    every = recorded()
    assert _concluded(cluster, [one.body for one in every]) == [(one.name, one.kstatus) for one in every]
    print(f"kstatus agrees on {len(every)} recorded resources")


def test_what_no_operator_has_looked_at_is_not_current(definitions: Cluster, namespace: str) -> None:
    create = ("create", "-n", namespace, "-o", "json", "-f", "-")
    found = _concluded(definitions, [json.loads(definitions.ask(*create, stdin=one)) for one in NEW.split("---")])
    assert found == [("inbox", "InProgress"), ("smtp-relay", "InProgress"), ("sales", "InProgress")]
