"""`mailhaul send-test`: a mail through a relay, followed to the provider's reply, with both conversations.

The relay itself sends to its own port as an app would (`POST /v1/send-test`), so that what is tested is what apps use.
Exit codes: 0 the provider took it, 1 it did not, or not yet when the time was up. Failures: `KubeError`.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from mailhaul_operator.api.moments import moment
from mailhaul_operator.cluster.inventory import ready_pod, token
from mailhaul_operator.cluster.kube import Kube, KubeError, Object
from mailhaul_operator.cluster.where import Where

INTERVAL: Final = 0.5
ENDED: Final = frozenset({"delivered", "dead", "dropped", "gone"})


@dataclass(frozen=True, slots=True)
class Order:
    """What to send through which relay; `sender` may be empty. `seconds` is how long to follow it."""

    relay: str
    recipients: tuple[str, ...]
    sender: str = ""
    subject: str = ""
    seconds: float = 30


def send_test(where: Where, order: Order, output: str) -> int:
    """Send, follow, print; the exit code."""
    kube = Kube(where)
    namespace, _, name = order.relay.rpartition("/")
    namespace = namespace or kube.namespace
    follower = Follower(kube, namespace, ready_pod(kube, namespace, name), token(kube, namespace, name))
    said = (lambda _: None) if output == "json" else _say
    result = follower.run(order, said)
    if output == "json":
        sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return 0 if result.get("state") == "delivered" else 1


class Follower:
    """One test mail at one pod of a relay."""

    def __init__(self, kube: Kube, namespace: str, pod: str, secret: str) -> None:
        self._kube, self._namespace, self._pod, self._token = kube, namespace, pod, secret

    def run(self, order: Order, say: Callable[[str], None]) -> dict[str, Any]:
        """Send and follow; `say` hears each line as it comes. Gives the whole story."""
        body: Object = {"to": list(order.recipients)}
        body |= {"from": order.sender} if order.sender else {}
        body |= {"subject": order.subject} if order.subject else {}
        say(f"to {self._namespace}/{self._pod}, as an app would:")
        sent = self._kube.pod(self._namespace, self._pod, "/v1/send-test", self._token, body)
        for line in sent.get("transcript", []):
            say(_spoken(line))
        if not sent.get("accepted"):
            say("the relay did not take it")
            return {**sent, "pod": self._pod, "state": "refused"}
        say(f"accepted as {sent['id']}; following it for up to {order.seconds:.0f} s")
        message = self._follow(str(sent["id"]), order.seconds, say)
        return {**sent, "pod": self._pod, **message}

    def _follow(self, id_: str, seconds: float, say: Callable[[str], None]) -> Object:
        deadline = time.monotonic() + seconds
        told = 0
        while True:
            try:
                message = self._kube.pod(self._namespace, self._pod, f"/v1/messages/{id_}", self._token)
            except KubeError as error:
                # The mail was accepted, and the pod may be on its way back.
                if time.monotonic() > deadline:
                    raise KubeError(f"accepted as {id_}, and not followed to its end: {error}", error.code) from None
                time.sleep(INTERVAL)
                continue
            lines = list(map(_spoken, message.get("transcript", [])))
            for line in lines[told:]:
                say(line)
            told = len(lines)
            if message.get("state") in ENDED or time.monotonic() > deadline:
                say(_outcome(message))
                return message
            time.sleep(INTERVAL)


def _spoken(line: Object) -> str:
    return f"  {line.get('from', ''):>8}: {line.get('line', '')}"


def _outcome(message: Object) -> str:
    """The last words on it: the newest attempt with the reply and remedy of each recipient, or what it waits for."""
    state = str(message.get("state", "unknown"))
    attempts = message.get("attempts") or []
    if attempts:
        last = attempts[-1]
        words = "; ".join(_answer(one) for one in last.get("outcomes", []))
        told = f"{state} by {last.get('upstream')}: {words}"
    else:
        waits = "; ".join(one["text"] for one in message.get("recipients", []) if one.get("text"))
        told = f"{state}, not tried yet" + (f": {waits}" if waits else "")
    following = message.get("nextAttempt") or 0
    return told + (f"; next attempt {moment(following).isoformat()}" if following else "")


def _answer(outcome: Object) -> str:
    remedy = f" ({outcome['remedy']})" if outcome.get("remedy") else ""
    return f"{outcome.get('address')} {outcome.get('verdict')}, {_words(outcome.get('reply')) or 'no reply'}{remedy}"


def _words(reply: object) -> str:
    """A reply in the provider's words, whether it is text or has parts."""
    if isinstance(reply, dict):
        return " ".join(str(reply[part]) for part in ("code", "enhanced", "text") if reply.get(part))
    return str(reply or "")


def _say(line: str) -> None:
    sys.stdout.write("".join(one if one.isprintable() else " " for one in line) + "\n")
    sys.stdout.flush()
