"""`mailhaul status` of a cluster: one screen a relay, does mail leave, and if not, why and what to do.

Says what the operator wrote into the resources' status, and nothing of its own: who may read the resources may ask.
Exit codes: 0 every relay is Ready, 1 one is not or there is none. Failures: `KubeError`.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from mailhaul_operator.api.provider_quotas import QuotaStatus
from mailhaul_operator.assess.quota_words import of_status, utc, words
from mailhaul_operator.cluster.inventory import Owned, key, relays
from mailhaul_operator.cluster.kube import Kube, Object
from mailhaul_operator.cluster.where import Where

ALIASES = 20
"""Aliases that a relay's screen has at most."""


def status(where: Where, output: str) -> int:
    """Ask the cluster and print; the exit code."""
    kube = Kube(where)
    found = relays(kube, "" if where.everywhere else kube.namespace)
    if output == "json":
        sys.stdout.write(json.dumps([as_json(one) for one in found], indent=2, ensure_ascii=False) + "\n")
    elif found:
        sys.stdout.write("\n".join(map(screen, found)))
    if not found:
        place = "the cluster" if where.everywhere else f"namespace {kube.namespace}"
        sys.stderr.write(
            f"mailhaul status: there is no SmtpRelay in {place} (context {kube.context}); "
            "name another with -n NAMESPACE, or all with -A\n"
        )
    return 0 if found and all(is_ready(one.relay) for one in found) else 1


def conditions(resource: Object) -> dict[str, Object]:
    """The resource's conditions by type."""
    return {one["type"]: one for one in resource.get("status", {}).get("conditions", [])}


def is_ready(resource: Object) -> bool:
    """Whether its Ready condition is True for the generation that it has."""
    ready = conditions(resource).get("Ready", {})
    return ready.get("status") == "True" and _assessed(resource)


def screen(owned: Owned) -> str:
    """Give one relay's screen."""
    relay = owned.relay
    found, told = conditions(relay), relay.get("status", {})
    ready = found.get("Ready", {})
    lines = [f"{'/'.join(key(relay))}: {_headline(relay)}"]
    lines += [
        f"  ! {type_} {one['reason']}: {one['message']}"
        for type_, one in sorted(found.items(), key=lambda item: item[0] != "Stalled")
        if type_ != "Ready" and _is_bad(type_, one) and one.get("message") != ready.get("message")
    ]
    lines += [f"  {one}" for one in (*_numbers(told), *_providers(owned), *_aliases(owned.aliases))]
    return "\n".join(_printable(one) for one in lines) + "\n"


def _headline(resource: Object) -> str:
    ready = conditions(resource).get("Ready")
    if ready is None:
        return "not looked at yet; is the operator running?"
    stale = "" if _assessed(resource) else " (of an older generation; the operator is behind)"
    word = {"True": "ready", "False": "NOT READY"}.get(ready["status"], "unknown")
    return f"{word}, {ready['reason']}: {ready['message']}{stale}"


def _assessed(resource: Object) -> bool:
    seen = resource.get("status", {}).get("observedGeneration", 0)
    return bool(seen >= resource["metadata"].get("generation", 0))


def _is_bad(type_: str, condition: Object) -> bool:
    if type_ in {"Reconciling", "Stalled", "Conflicted", "ClientIdentityLost"}:
        return bool(condition["status"] == "True")
    return bool(condition["status"] == "False")


def _numbers(told: Object) -> list[str]:
    queue, delivered, failed = (told.get(name) or {} for name in ("queue", "delivered", "failed"))
    lines = [
        f"address {told.get('address', '-')}, replicas ready {told.get('readyReplicas', 0)}/{told.get('replicas', 0)}"
    ]
    oldest = f", oldest from {queue['oldestTime']}" if queue.get("oldestTime") else ""
    states = ", ".join(f"{queue.get(name, 0)} {name}" for name in ("queued", "deferred", "held", "dead"))
    lines.append(f"queue: {states}{oldest}")
    last = told.get("lastDelivery")
    left = f", last {last['time']} by {last['upstream']}" if last else ""
    lines.append(f"delivered {_total(delivered)}, failed {_total(failed)}{left}")
    error = told.get("lastError")
    if error:
        code = f"{error['code']} " if error.get("code") else ""
        remedy = f"; {error['remedy']}" if error.get("remedy") else ""
        lines.append(f"last error {error['time']} by {error['upstream']}: {code}{error.get('text', '')}{remedy}")
    return lines


def _total(count: Object) -> str:
    return f"{count.get('total', 0)} ({count.get('lastDay', 0)} in 24 h)"


def _providers(owned: Owned) -> list[str]:
    return [line for one in owned.providers for line in (_provider(one), *_quotas(one))]


def _quotas(provider: Object) -> list[str]:
    told = provider.get("status", {}).get("quotas") or ()
    return [f"  {words(of_status(QuotaStatus.from_json(one)), utc)}" for one in told]


def _provider(provider: Object) -> str:
    kind = ", ".join(filter(None, (provider["spec"]["type"], provider.get("status", {}).get("endpoint"))))
    return f"provider {key(provider)[1]} ({kind}): {_headline(provider)}"


def _aliases(aliases: Sequence[Object]) -> Iterator[str]:
    """Each alias while they are few; of many those that are not ready, as far as a screen goes, and how many are."""
    shown = aliases if len(aliases) <= ALIASES else [one for one in aliases if not is_ready(one)][:ALIASES]
    yield from map(_alias, shown)
    if left := len(aliases) - len(shown):
        ready = sum(map(is_ready, aliases))
        yield f"and {left} more aliases, {ready} of all {len(aliases)} are ready: kubectl get mailaliases -A"


def _alias(alias: Object) -> str:
    told = alias.get("status", {})
    numbers = (
        f"; forwarded {told.get('forwarded', {}).get('total', 0)}, failed {told.get('failed', {}).get('total', 0)}"
    )
    return f"alias {'/'.join(key(alias))}: {_headline(alias)}{numbers}"


def _printable(line: str) -> str:
    """Words of others never steer the terminal."""
    return "".join(one if one.isprintable() else " " for one in line)


def as_json(owned: Owned) -> dict[str, Any]:
    """The form of `-o json`: each resource by name, with its status as it is."""
    return {
        **_resource(owned.relay),
        "providers": [_resource(one) for one in owned.providers],
        "aliases": [_resource(one) for one in owned.aliases],
    }


def _resource(resource: Object) -> dict[str, Any]:
    namespace, name = key(resource)
    return {
        "namespace": namespace,
        "name": name,
        "ready": is_ready(resource),
        "headline": _headline(resource),
        "status": resource.get("status", {}),
    }
