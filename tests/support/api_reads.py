"""`kubectl get KIND/NAME -o json`, KINDS with `-l`, and `get --raw PATH`, over a kept connection to the API server.

`cluster` asks here before it starts kubectl, for tests that wait ask again and again: a kubectl takes 0.15 s of CPU for
each answer, which was half of what the end-to-end tests took. The answers are kubectl's own in what they say. Whatever
is not understood (other words, another way to log in, an answer that is no plain one, a server that does not answer) is
None, and then kubectl is asked: its errors and its patience are what a user would see.
"""

import base64
import http.client
import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import yaml

PATIENCE = 20.0
"""Seconds for an answer; then kubectl may wait for it."""
DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


class Kind(NamedTuple):
    """A kind that the server serves: the path of its group and version, its plural, and how an object names both."""

    root: str
    plural: str
    api_version: str
    kind: str
    is_namespaced: bool

    def path(self, namespace: str) -> str:
        """Where its objects are."""
        within = f"/namespaces/{namespace}" if self.is_namespaced else ""
        return f"{self.root}{within}/{self.plural}"


@dataclass(frozen=True)
class Question:
    """What `kubectl get` was asked: kinds, a name or "", a selector."""

    kinds: tuple[str, ...]
    name: str
    namespace: str
    selector: str

    @staticmethod
    def of(words: Sequence[str]) -> "Question | None":
        """Read the words of a `get ... -o json`; None when there are others than these."""
        named, options = list[str](), {"-n": "default", "-o": "", "-l": ""}
        rest = iter(words)
        for word in rest:
            if word in options:
                options[word] = next(rest, "")
            elif word.startswith("-"):
                return None
            else:
                named.append(word)
        if options["-o"] != "json" or not 1 < len(named) <= 3 or named[0] != "get":
            return None
        kinds, slash, name = named[1].partition("/")
        if slash and len(named) == 3:
            return None
        name = name or "".join(named[2:])
        if "/" in name or "," in (kinds if name else "") or (name and options["-l"]) or (slash and not name):
            return None
        return Question(tuple(kinds.split(",")), name, options["-n"], options["-l"])


class ApiReads:
    """The reads of one kubeconfig, for any thread."""

    def __init__(self, server: str, context: ssl.SSLContext, token: str) -> None:
        self._server, self._context = urlsplit(server).netloc, context
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._idle: list[http.client.HTTPSConnection] = []
        self._kinds: dict[str, Kind] = {}

    def close(self) -> None:
        """Give its connections up."""
        while self._idle:
            self._idle.pop().close()

    def answer(self, words: Sequence[str]) -> str | None:
        """Give what kubectl would print, if it would succeed; None when it is to be asked."""
        try:
            if len(words) == 3 and words[:2] == ("get", "--raw"):
                return self._text(words[2])
            question = Question.of(words)
            return None if question is None else self._objects(question)
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return None

    def _objects(self, asked: Question) -> str | None:
        kinds = [self._kind(one) for one in asked.kinds]
        if asked.name and kinds[0] is not None:
            body = self._json(f"{kinds[0].path(asked.namespace)}/{quote(asked.name)}")
            return None if body is None else _printed(_plain(body, kinds[0]))
        items = list[Any]()
        for kind in kinds:
            found = kind and self._json(f"{kind.path(asked.namespace)}?labelSelector={quote(asked.selector)}")
            if not kind or found is None:
                self._kinds = {}  # may be served in another version now
                return None
            items += [_plain(one, kind) for one in found["items"]]
        return _printed({"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}})

    def _kind(self, word: str) -> Kind | None:
        """The kind of a word as kubectl takes them. One that is not known may be new."""
        if word not in self._kinds:
            self._kinds = dict(self._discovered())
        return self._kinds.get(word)

    def _discovered(self) -> Iterator[tuple[str, Kind]]:
        """Every served kind by its words: first those of the groups that kubectl prefers, and never one anew."""
        seen = set[str]()
        for place in ("/api", "/apis"):
            for group in json.loads(self._text(place, DISCOVERY) or "")["items"]:
                for words, kind in _served(place, group):
                    fresh = [one for one in words if one not in seen]
                    seen.update(fresh)
                    yield from ((one, kind) for one in fresh)

    def _json(self, path: str) -> Any:  # noqa: ANN401 - any JSON value
        text = self._text(path)
        return None if text is None else json.loads(text)

    def _text(self, path: str, accept: str = "application/json, */*") -> str | None:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = http.client.HTTPSConnection(self._server, timeout=PATIENCE, context=self._context)
        try:
            connection.request("GET", path, headers={**self._headers, "Accept": accept})
            answer = connection.getresponse()
            body: bytes = answer.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return body.decode() if answer.status == http.client.OK else None


def _served(place: str, group: Mapping[str, Any]) -> Iterator[tuple[list[str], Kind]]:
    """Give the kinds of a group's preferred version, each with the words for it."""
    name, version = group["metadata"].get("name", ""), group["versions"][0]
    root = "/".join(filter(None, (place, name, version["version"])))
    for one in version["resources"]:
        plural, meant = one["resource"], one["responseKind"]
        kind = Kind(root, plural, root.removeprefix(f"{place}/"), meant["kind"], one["scope"] == "Namespaced")
        words = [plural, one.get("singularResource", ""), *one.get("shortNames", ())]
        yield [*filter(None, words), *(f"{word}.{name}" for word in words if word and name)], kind


def _plain(body: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """As kubectl prints an object: with its kind, without its managed fields."""
    body["metadata"].pop("managedFields", None)
    return {"apiVersion": kind.api_version, "kind": kind.kind} | body


def _printed(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False)


_KNOWN: dict[tuple[str, float], ApiReads | None] = {}


def reads_of(kubeconfig: Path) -> ApiReads | None:
    """Give the reads of a kubeconfig as it is now; None where neither a certificate nor a token of it logs in."""
    if not kubeconfig.is_file():
        return None
    key = str(kubeconfig), kubeconfig.stat().st_mtime
    if key not in _KNOWN:
        _KNOWN[key] = _read(kubeconfig)
    return _KNOWN[key]


def close_reads() -> None:
    """Give all connections up."""
    for one in _KNOWN.values():
        if one is not None:
            one.close()


def _read(kubeconfig: Path) -> ApiReads | None:
    try:
        told = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        context = _named(told["contexts"], told["current-context"])["context"]
        cluster = _named(told["clusters"], context["cluster"])["cluster"]
        user = _named(told["users"], context["user"])["user"]
        return ApiReads(cluster["server"], _trust(cluster, user), user.get("token", ""))
    except (OSError, KeyError, ValueError, TypeError, StopIteration, yaml.YAMLError):
        return None


def _named(those: Sequence[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    return next(one for one in those if one["name"] == name)


def _trust(cluster: Mapping[str, str], user: Mapping[str, str]) -> ssl.SSLContext:
    """TLS with the cluster's authority, and with the user's certificate when there is one. Raises KeyError when neither
    a certificate nor a token is there to log in."""
    context = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    if "token" not in user:
        with NamedTemporaryFile() as pair:
            for name in ("client-certificate-data", "client-key-data"):
                pair.write(base64.b64decode(user[name]) + b"\n")
            pair.flush()
            context.load_cert_chain(pair.name)
    return context
