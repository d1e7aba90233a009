"""Reading files: our kinds become resources, everything wrong has its file and line, everything else is passed over."""

from pathlib import Path

import pytest

from mailhaul_operator.manifests import files
from mailhaul_operator.manifests.read import read, read_text_of
from mailhaul_operator.manifests.reading import Place, Reading
from mailhaul_operator.plan.findings import ObjectRef

GOOD = """\
apiVersion: mailhaul.dev/v1alpha1
kind: UpstreamProvider
metadata: {name: mailtrap, namespace: smtp}
spec: {type: capture}
"""
FILE = Path("mail.yaml")


def _read(text: str) -> Reading:
    return read_text_of(text, FILE)


def _told(text: str) -> list[str]:
    return [str(one) for one in _read(text).refused]


def test_every_kind_that_is_needed_is_read() -> None:
    text = """\
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {password: x}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {ca.crt: x}}
- {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {mail: "yes"}}}
- apiVersion: mailhaul.dev/v1alpha1
  kind: SmtpRelay
  metadata: {name: relay}
  spec: {upstreams: [{providerRef: {name: mailtrap}}]}
- apiVersion: mailhaul.dev/v1alpha1
  kind: MailAlias
  metadata: {name: alias}
  spec:
    relayRef: {name: relay}
    addresses: [{value: a@example.com}]
    destinations: [{name: a, mailbox: {address: a@example.net}}]
"""
    reading = _read(GOOD + "---\n" + text)
    found = reading.resources
    assert not reading.refused
    kinds = (found.providers, found.secrets, found.config_maps, found.namespaces, found.relays, found.aliases)
    assert [len(kind) for kind in kinds] == [1] * 6
    assert found.namespace("shop") is found.namespaces[0]


def test_a_field_of_an_object_is_found_again_also_in_a_list() -> None:
    text = f"kind: List\napiVersion: v1\nitems:\n- {GOOD.replace(chr(10), chr(10) + '  ')}"
    reading = _read(text)
    subject = ObjectRef("UpstreamProvider", "smtp", "mailtrap")
    assert reading.place(subject, "spec.type") == Place(FILE, 7)
    assert reading.place(subject) == Place(FILE, 4)
    assert reading.place(ObjectRef("SmtpRelay", "smtp", "x")) is None


def test_a_wrong_field_is_told_with_file_line_path_reason_and_remedy() -> None:
    (told,) = _told(GOOD.replace("type: capture", "type: capture, tpye: x"))
    assert told.startswith("mail.yaml:4: spec.tpye: unknown field `tpye`; remove it")


def test_all_faults_of_all_documents_are_told() -> None:
    bad = GOOD.replace("capture", "mailjet")
    assert len(_told(f"{bad}---\n{bad.replace('name: mailtrap', 'name: other')}")) == 2


def test_a_broken_rule_is_told_at_the_member_at_fault() -> None:
    text = "spec:\n  type: gmail\n  auth:\n    mechanism: None\n    secretRef: {name: s}\n"
    (told,) = _told(GOOD.replace("spec: {type: capture}\n", text))
    assert told.startswith("mail.yaml:8: spec.auth.secretRef: mechanism None uses no credential; remove secretRef")


def test_the_same_object_twice_is_refused_and_the_first_is_named() -> None:
    (told,) = _told(f"{GOOD}---\n{GOOD}")
    assert told == "mail.yaml:8: metadata.name: given twice, first at mail.yaml:1; remove one, or rename it"


def test_other_kinds_are_passed_over_with_a_note() -> None:
    text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec: {replicas: 1}\n"
    reading = _read(text + "---\n" + text.replace("apps/v1", "example.com/v1").replace("Deployment", "Secret"))
    assert not reading.refused
    assert str(reading.skipped[0]) == "mail.yaml:1: Deployment app is not read here"
    assert len(reading.skipped) == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("just text", "not a Kubernetes resource; give it an apiVersion and a kind"),
        ("[1, 2]", "not a Kubernetes resource"),
        ("{a: 1}", "not a Kubernetes resource"),
        ("apiVersion: v1\nkind: List\nitems: [1]", "not a Kubernetes resource"),
        ("apiVersion: mailhaul.dev/v1alpha1\nkind: Relay\nmetadata: {name: x}", "kind: there is no such kind"),
        (GOOD.replace("mailhaul.dev", "mailhaul.io"), "apiVersion: not one of the allowed values"),
        (GOOD.replace("{name: mailtrap, namespace: smtp}", "{}"), "metadata.name: required, but absent"),
        (GOOD.replace("{name: mailtrap, namespace: smtp}", "[]"), "metadata: "),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: '!'}", "data.a: not base64"),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {pin: 0123}", "stringData.pin: "),
    ],
)  # fmt: skip
def test_a_document_that_is_no_resource_is_refused(text: str, words: str) -> None:
    assert any(words in told for told in _told(text)), _told(text)


def test_directories_are_read_in_order_without_hidden_files_and_each_file_once(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", ".hidden.yaml", "notes.txt", "sub/c.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(GOOD.replace("mailtrap", path.stem.strip(".")))
    reading = read([tmp_path, tmp_path / "a.yml"])
    assert [one.metadata.name for one in reading.resources.providers] == ["a", "b", "c"]
    assert not reading.refused


def test_files_that_cannot_be_read_are_told_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff")
    missing = tmp_path / "missing.yaml"
    reading = read([missing, tmp_path])
    assert len(reading.resources.providers) == 1
    told = [str(one) for one in reading.refused]
    assert told == [
        f"{missing}:1: there is no such file; correct the name",
        f"{tmp_path / 'latin.yaml'}:1: not UTF-8 text; save it as UTF-8",
    ]


def test_size_and_number_of_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD)
    monkeypatch.setattr(files, "MAX_FILES", 1)
    assert [one.reason for one in read([tmp_path]).refused] == ["more than 1 files"]
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    assert "larger than" in read([tmp_path / "a.yaml"]).refused[0].reason
