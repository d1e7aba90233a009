"""What is done to a relay's pods: a nudge through the API server, probe and drain over their own HTTP.

Called by `reconcile`. A nudge changes an annotation through `pods/status`, whose right cannot change an image; the
kubelet then looks at the pod's mounts at once. Failures are values.
"""

import json
from typing import Final
from urllib.parse import quote

from mailhaul_operator.assess.view import PodView
from mailhaul_operator.effects.api import Api
from mailhaul_operator.plan.naming import NUDGE
from mailhaul_operator.wire.http import FAILURES, Request, ask, words_of
from mailhaul_operator.wire.kinds import KINDS, Body
from mailhaul_operator.wire.refused import Refused

MAX_VALUE: Final = 128


async def nudge(api: Api, namespace: str, pod: str, value: str) -> Body | Refused:
    """Set the annotation of a pod to a value that it had not before, such as the digest that it should run."""
    patch = {"metadata": {"annotations": {NUDGE: value[:MAX_VALUE]}}}
    return await api.patch(KINDS["Pod"], (namespace, pod), patch, "status")


async def post_probe(pod: PodView, upstream: str, token: str) -> str:
    """Ask a pod to probe one of its upstreams now; gives why it would not, "" when it does."""
    return await _post(pod, f"/v1/upstreams/{quote(upstream, safe='')}/probe", {}, token)


async def post_drain(pod: PodView, draining: bool, token: str) -> str:
    """Tell a pod to take no new mail and deliver what it has, or to go on as before; gives why not, "" when it did."""
    return await _post(pod, "/v1/drain", {"draining": draining}, token)


async def _post(pod: PodView, path: str, message: dict[str, bool], token: str) -> str:
    if not pod.ip:
        return "the pod has no address yet"
    try:
        status, _ = await ask(Request(pod.ip, path, token, "POST", json.dumps(message).encode()))
    except FAILURES as error:
        return words_of(error)
    return "" if 200 <= status < 300 else f"the pod answers {status}"
