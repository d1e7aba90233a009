"""The commands find every replica of a relay in a cluster, name the pods, and say whom they left out."""

import argparse
import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pytest

from mailhaul_operator.cluster.kube import Kube, KubeError
from mailhaul_operator.cluster.where import Where
from mailhaul_operator.mail import pods
from mailhaul_operator.mail.client import ClientError
from mailhaul_operator.mail.pods import PodDoor, pods_of
from mailhaul_operator.mail.queue import queue
from mailhaul_operator.mail.replies import replies
from mailhaul_operator.mail.suppression import suppression
from mailhaul_operator.mail.target import Doors, find_doors
from mailhaul_operator.mail.trace import trace

ROW = {"state": "held", "accepted": 1.0, "due": 0, "attempts": 1, "size": 5, "sender": "a@b.example",
       "recipients": ["c@d.example"], "recipientCount": 1, "upstream": "", "text": "", "onHold": True}  # fmt: skip


class Cluster:
    """An API server with one relay of two replicas; `answers` are by pod and path."""

    context, namespace = "test", "smtp"

    def __init__(self) -> None:
        self.relays = ["smtp-relay"]
        self.phases = {"smtp-relay-0": "Running", "smtp-relay-1": "Running"}
        self.answers: dict[tuple[str, str], dict[str, Any]] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.hanging: set[str] = set()
        self.spec: dict[str, Any] | None = {"replicas": 2}

    def found(self, plural: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
        assert namespace == "smtp"
        if plural == "smtprelays":
            return [{"metadata": {"namespace": "smtp", "name": name}} for name in self.relays]
        assert selector.endswith("mailhaul.dev/relay=smtp-relay")
        return [{"metadata": {"namespace": "smtp", "name": name}, "status": {"phase": phase}}
                for name, phase in self.phases.items()]  # fmt: skip

    def get(self, plural: str, *_: str) -> dict[str, Any] | None:
        if plural == "smtprelays":
            if self.spec is None:
                raise KubeError("smtprelays: 403 forbidden", 403)
            return {"spec": self.spec}
        return {"data": {"api.token": "c2VjcmV0"}}

    def pod(self, _: str, pod: str, path: str, token: str, body: Any = None) -> dict[str, Any]:  # noqa: ANN401
        assert token == "secret"
        self.asked.append((pod, path, body))
        if pod in self.hanging:
            raise KubeError(f"{pod}: no answer")
        answer = self.answers.get((pod, path.partition("?")[0]))
        if answer is None:
            raise KubeError(f"{path}: 404 nothing is known of this message", 404)
        return answer

    def pod_bytes(self, _: str, pod: str, path: str, token: str, write: Callable[[bytes], object]) -> None:
        assert token == "secret"
        self.asked.append((pod, path, None))
        write(b"From: a@b.example\r\n")
        write(b"\r\nhi\r\n")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(pods, "Kube", lambda _: made)
    return made


def _page(*ids: str) -> dict[str, Any]:
    return {"messages": [{**ROW, "id": one} for one in ids], "next": ""}


def test_a_list_is_of_all_pods_and_names_them(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.answers = {("smtp-relay-0", "/v1/queue"): _page("02"), ("smtp-relay-1", "/v1/queue"): _page("01", "03")}
    assert queue(["list", "--cluster", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["id"], one["pod"]) for one in told["messages"]] == [
        ("01", "smtp-relay-1"), ("02", "smtp-relay-0"), ("03", "smtp-relay-1"),
    ]  # fmt: skip
    assert queue(["list", "--cluster", "--limit", "2"]) == 0
    text = capsys.readouterr().out
    assert "POD" in text
    assert "held by an operator" in text
    assert "--limit shows more" in text


def test_a_pod_that_does_not_run_is_told_and_the_others_are_asked(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.phases["smtp-relay-1"] = "Pending"
    cluster.answers = {("smtp-relay-0", "/v1/queue"): _page("02")}
    assert queue(["list", "-n", "smtp", "-o", "json"]) == 1
    told = capsys.readouterr()
    assert "pod smtp-relay-1 does not run, so its queue was not asked" in told.err
    assert json.loads(told.out)["complete"] is False


def test_an_order_by_id_goes_to_the_pod_that_has_the_message(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.answers = {("smtp-relay-1", "/v1/queue/01/hold"): {"result": "done"}}
    assert queue(["hold", "01", "--cluster"]) == 0
    assert capsys.readouterr().out == "1 message is on hold (smtp-relay-1 1).\n"
    assert [pod for pod, _, _ in cluster.asked] == ["smtp-relay-0", "smtp-relay-1"]


def test_an_order_by_filter_counts_in_every_pod_before_it_acts(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    for pod, done in (("smtp-relay-0", 2), ("smtp-relay-1", 1)):
        cluster.answers[pod, "/v1/queue/bounce"] = {"done": done, "skipped": 0, "next": ""}
    command = ["bounce", "--domain", "gone.example", "--older", "2d", "--cluster"]
    assert queue([*command, "--dry-run"]) == 0
    assert "3 messages would be given up as failed (smtp-relay-0 2, smtp-relay-1 1)." in capsys.readouterr().out
    assert queue(command) == 1, "nobody can be asked, and --yes is not there"
    assert "this would bounce 3 messages for good" in capsys.readouterr().err
    assert all(body["dryRun"] for _, _, body in cluster.asked)
    assert queue([*command, "--yes", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["done"], told["pods"]["smtp-relay-0"]["done"]) == (3, 2)
    assert cluster.asked[-1][2] == {
        "states": ["queued", "deferred", "held"], "domain": "gone.example", "older": 172_800, "after": "",
    }  # fmt: skip


def test_a_message_is_exported_from_the_pod_that_has_it(
    cluster: Cluster,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cluster.answers = {("smtp-relay-1", "/v1/queue/01"): {**ROW, "id": "01"}}
    file = tmp_path / "x.eml"
    assert queue(["export", "01", str(file), "--cluster"]) == 0
    assert file.read_bytes() == b"From: a@b.example\r\n\r\nhi\r\n"
    assert cluster.asked[-1][:2] == ("smtp-relay-1", "/v1/queue/01/raw")
    assert queue(["export", "01", str(file), "--cluster"]) == 1
    assert "name another file" in capsys.readouterr().err


def test_a_story_is_told_with_its_pod(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.answers = {("smtp-relay-1", "/v1/messages/01"): {"id": "01", "state": "delivered", "recipients": []}}
    assert trace(["01", "--cluster"]) == 0
    assert capsys.readouterr().out.startswith("01: delivered in pod smtp-relay-1")
    assert trace(["02", "--cluster"]) == 1
    assert "nothing is known of this message" in capsys.readouterr().err


def test_the_suppression_list_of_every_pod_is_changed(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    for number in (0, 1):
        cluster.answers[f"smtp-relay-{number}", "/v1/suppression"] = {"recipients": [], "next": ""}
        cluster.answers[f"smtp-relay-{number}", "/v1/suppression/release"] = {"released": ["a@b.example"][:number]}
    assert suppression(["add", "a@b.example", "--for", "2d", "--reason", "asked", "--cluster"]) == 0
    order = {"address": "a@b.example", "lasts": 172_800, "reason": "asked"}
    assert [(pod, body) for pod, _, body in cluster.asked] == [("smtp-relay-0", order), ("smtp-relay-1", order)]
    assert suppression(["release", "a@b.example", "--cluster"]) == 0
    assert "released: a@b.example" in capsys.readouterr().out
    assert suppression(["list", "--cluster"]) == 0
    assert capsys.readouterr().out == "Nobody is suppressed.\n"


def test_several_relays_must_be_chosen_from(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.relays.append("other")
    assert queue(["list", "--cluster"]) == 1
    assert "choose one with --relay: other, smtp-relay" in capsys.readouterr().err


def test_replies_of_all_pods_are_added_up(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    kind = {"provider": "main", "profile": "smtp", "stage": "rcpt", "code": 550, "enhanced": "", "text": "odd\x1b"}
    for pod, count, first in (("smtp-relay-0", 2, 60.0), ("smtp-relay-1", 3, 0.0)):
        seen = {**kind, "count": count, "firstSeen": first, "lastSeen": first + 60}
        cluster.answers[pod, "/v1/replies"] = {"replies": [seen, {**seen, "code": 451, "count": 1}]}
    assert replies(["--cluster", "--provider", "main", "-o", "json"]) == 0
    assert [path for _, path, _ in cluster.asked] == ["/v1/replies?provider=main"] * 2
    told = json.loads(capsys.readouterr().out)["replies"]
    assert told[0] == {**kind, "count": 5, "firstSeen": 0.0, "lastSeen": 120.0}
    assert (told[1]["code"], told[1]["count"]) == (451, 2)
    assert replies(["--cluster"]) == 0
    head, row, _ = capsys.readouterr().out.splitlines()
    assert head.split()[:5] == ["PROVIDER", "PROFILE", "STAGE", "REPLY", "COUNT"]
    assert row.split() == [
        *("main", "smtp", "rcpt", "550", "5"),
        *("1970-01-01", "00:00:00", "UTC", "1970-01-01", "00:02:00", "UTC", "odd?"),
    ]


def test_no_such_replies_are_told_in_words(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.answers = {(pod, "/v1/replies"): {"replies": []} for pod in cluster.phases}
    assert replies(["--cluster"]) == 0
    assert capsys.readouterr().out == "No provider has said anything that no rule knows.\n"


def test_one_pod_can_be_named(cluster: Cluster) -> None:
    doors = pods_of(Where(), "smtp-relay", "smtp-relay-1")
    assert [one.pod for one in doors.doors] == ["smtp-relay-1"]
    with pytest.raises(ClientError, match="has no pod nobody that runs"):
        pods_of(Where(), "smtp/smtp-relay", "nobody")


def test_a_token_is_in_no_text(cluster: Cluster) -> None:
    assert "secret" not in repr(PodDoor(cast("Kube", cluster), "smtp", "p", "secret"))


def _options(**given: object) -> argparse.Namespace:
    names = ("url", "token_file", "ready_file", "relay", "pod", "namespace", "context")
    return argparse.Namespace(**{**dict.fromkeys(names, ""), "cluster": False, "kubeconfig": None, **given})


def test_a_kubeconfig_means_the_cluster_unless_something_nearer_is_named(
    cluster: Cluster,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "config"
    config.write_text("{}")
    known = {"KUBECONFIG": str(config)}

    def is_cluster(environment: dict[str, str], **given: object) -> bool:
        found: Doors = find_doors(_options(**given), environment)
        return found.has_pods

    assert is_cluster(known)
    assert not is_cluster(known | {"MAILHAUL_URL": "http://127.0.0.1:1"})
    assert not is_cluster(known, url="http://127.0.0.1:1")
    assert not is_cluster({"KUBECONFIG": str(tmp_path / "none")})
    (tmp_path / ".mailhaul").mkdir()
    relay = {"namespace": "mail", "name": "relay", "http": "http://127.0.0.1:7", "tokenFile": ""}
    (tmp_path / ".mailhaul" / "up.json").write_text(json.dumps({"relays": [relay]}))
    assert not is_cluster(known)
    assert is_cluster(known, cluster=True)


@pytest.mark.parametrize("command", [
    (queue, ["list"]), (queue, ["show", "02"]), (queue, ["hold", "02"]), (queue, ["drop", "--state", "dead", "--yes"]),
    (queue, ["hold", "02", "--dry-run"]), (trace, ["02"]), (replies, []), (suppression, ["list"]),
    (suppression, ["add", "a@b.example"]), (suppression, ["release", "a@b.example"]),
])  # fmt: skip
def test_a_pod_that_does_not_answer_is_told_and_keeps_no_other_from_being_asked(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], command: tuple[Callable[[list[str]], int], list[str]]
) -> None:
    cluster.hanging = {"smtp-relay-0"}
    message = {**ROW, "id": "02", "size": 5, "client": "", "account": "", "recipients": [], "head": "", "orders": [],
               "next": ""}  # fmt: skip
    done = {"result": "done", "done": 4, "skipped": 0, "next": "", "recipients": [], "replies": [], "released": ["a"]}
    for path in ("", "/02"):
        cluster.answers["smtp-relay-1", f"/v1/queue{path}"] = _page("02") if not path else message
    for path in ("/v1/queue/02/hold", "/v1/queue/drop", "/v1/replies", "/v1/suppression", "/v1/suppression/release"):
        cluster.answers["smtp-relay-1", path] = done
    cluster.answers["smtp-relay-1", "/v1/messages/02"] = {**message, "attempts": []}
    run, arguments = command
    assert run([*arguments, "--cluster", "-o", "json"]) == 1
    told = capsys.readouterr()
    assert told.err.count("pod smtp-relay-0: smtp-relay-0: no answer") == 1
    assert "complete" not in (document := json.loads(told.out)) or document["complete"] is False
    assert "done" not in document or document["done"] in {1, 4}


def test_what_is_with_no_pod_that_answers_is_not_told_as_delivered(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.hanging = {"smtp-relay-0"}
    assert queue(["drop", "02", "--cluster"]) == 1
    told = capsys.readouterr().err
    assert "one that was not may have it" in told
    assert "pod smtp-relay-0: smtp-relay-0: no answer" in told


def test_what_was_done_before_a_pod_fails_is_told(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def pod(_: str, name: str, path: str, token: str, body: Any = None) -> dict[str, Any]:  # noqa: ANN401
        if body.get("dryRun"):
            return {"done": 600, "skipped": 0, "next": ""}
        if name == "smtp-relay-0" and body["after"]:
            raise KubeError("the pod was deleted")
        return {"done": 500, "skipped": 0, "next": "" if body["after"] else "09"}

    monkeypatch.setattr(cluster, "pod", pod)
    assert queue(["drop", "--state", "dead", "--yes", "--cluster", "-o", "json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["pods"] == {
        "smtp-relay-0": {"done": 500, "skipped": 0}, "smtp-relay-1": {"done": 1000, "skipped": 0},
    }  # fmt: skip
    assert "pod smtp-relay-0: the pod was deleted" in told.err


def test_where_nothing_is_selected_nothing_is_done_that_nobody_agreed_to(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    for pod in cluster.phases:
        cluster.answers[pod, "/v1/queue/drop"] = {"done": 0, "skipped": 0, "next": ""}
    assert queue(["drop", "--older", "2d", "--cluster"]) == 0
    assert "0 messages are dropped." in capsys.readouterr().out
    assert all(body["dryRun"] for _, _, body in cluster.asked)


@pytest.mark.parametrize("option", [
    "--state", "--sender", "--recipient", "--domain", "--through", "--fault", "--older", "--newer", "--pod",
])  # fmt: skip
def test_an_empty_filter_of_a_script_means_not_everything(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    filtered = [] if option == "--state" else ["--state", "dead"]
    assert queue(["drop", *filtered, "--older", "1s", "--yes", "--cluster", option, ""]) == 2
    assert option in capsys.readouterr().err
    assert not cluster.asked


def test_a_retry_to_no_name_is_not_a_retry_anywhere(cluster: Cluster) -> None:
    assert queue(["retry", "02", "--cluster", "--to", ""]) == 2
    assert not cluster.asked


def test_a_part_of_a_message_is_not_left_behind_as_a_file(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(_: str, __: str, ___: str, ____: str, write: Callable[[bytes], object]) -> None:
        write(b"From: a@b.example\r\n")
        raise KubeError("no answer")

    cluster.answers = {("smtp-relay-1", "/v1/queue/01"): {**ROW, "id": "01"}}
    monkeypatch.setattr(cluster, "pod_bytes", cut_off)
    assert queue(["export", "01", str(tmp_path / "x.eml"), "--cluster"]) == 1
    assert "no answer" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_is_told_as_the_disk_and_not_as_the_relay(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class FullDisk(BytesIO):
        def write(self, _: object) -> int:
            raise OSError(28, "No space left on device")

    cluster.answers = {("smtp-relay-0", "/v1/queue/01"): {**ROW, "id": "01"}}
    monkeypatch.setattr(Path, "open", lambda *_: FullDisk())
    assert queue(["export", "01", str(tmp_path / "x.eml"), "--cluster"]) == 1
    assert "x.eml cannot be written: No space left on device; name another file" in capsys.readouterr().err


def test_a_pod_that_should_be_there_and_is_not_is_told(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    del cluster.phases["smtp-relay-1"]
    cluster.answers = {("smtp-relay-0", "/v1/queue"): _page("02")}
    assert queue(["list", "--cluster", "-o", "json"]) == 1
    told = capsys.readouterr()
    assert "pod smtp-relay-1 is not there, so its queue was not asked" in told.err
    assert json.loads(told.out)["complete"] is False
    assert queue(["list", "--cluster", "--pod", "smtp-relay-0"]) == 0, "nobody asked for another one"


@pytest.mark.parametrize("spec", [None, {}, {"replicas": 3, "queue": {"mode": "Ephemeral"}}])
def test_no_pod_is_missed_of_which_nobody_knows_the_name(cluster: Cluster, spec: dict[str, Any] | None) -> None:
    cluster.spec = spec
    cluster.answers = {(pod, "/v1/queue"): _page() for pod in cluster.phases}
    assert queue(["list", "--cluster"]) == 0
