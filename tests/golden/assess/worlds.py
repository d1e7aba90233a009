"""Builds the views of `assess` from the YAML of a case: what is not said has the value of a good, quiet world.

Times are seconds after `T0`, wherever they stand.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from mailhaul_contract.report import RelayReport, UpstreamReport
from mailhaul_operator.api.conditions import Condition
from mailhaul_operator.api.inputs import Secret
from mailhaul_operator.api.mailalias import MailAlias, MailAliasStatus
from mailhaul_operator.api.provider_status import UpstreamProviderStatus
from mailhaul_operator.api.relay_status import SmtpRelayStatus
from mailhaul_operator.api.resources import Resources
from mailhaul_operator.api.smtprelay import SmtpRelay
from mailhaul_operator.api.upstreamprovider import UpstreamProvider
from mailhaul_operator.assess.view import (
    AliasView,
    Obstacle,
    PodView,
    ProviderView,
    RelayView,
    Silence,
    UsedBy,
    WorkloadView,
)
from mailhaul_operator.plan.findings import Finding, ObjectRef, Reason
from mailhaul_operator.plan.relay_config import plan
from mailhaul_operator.plan.snapshot import Fresh, Plan, Snapshot

T0 = 1_790_000_000.0
API = {"apiVersion": "mailhaul.dev/v1alpha1"}
DIGEST = "sha256:planned"
TIMES = frozenset(
    {
        *(
            "opened",
            "lastAccepted",
            "time",
            "started",
            "lastDelivery",
            "oldest",
            "breakerSince",
            "nextAttempt",
            "since",
        ),
        *("reset", "full", "trialEnd"),
    }
)

World = Mapping[str, Any]


def moved(value: Any, key: str = "") -> Any:  # noqa: ANN401 - any YAML value
    """Give the value with every time moved by T0."""
    if isinstance(value, dict):
        return {name: moved(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [moved(one) for one in value]
    return T0 + value if key in TIMES else value


def merged(base: Any, over: Any) -> Any:  # noqa: ANN401 - any YAML values
    """Lay one tree over another; lists are replaced."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {
        key: merged(base[key], over[key]) if key in base and key in over else over.get(key, base.get(key))
        for key in {**base, **over}
    }


def relay(world: World) -> SmtpRelay:
    """The relay of a world, which sends through provider `main` unless its spec says otherwise."""
    spec = merged({"upstreams": [{"providerRef": {"name": "main"}}]}, world.get("spec", {}))
    meta = {"name": "smtp-relay", "namespace": "smtp", "generation": world.get("generation", 1)}
    return SmtpRelay.from_json({**API, "kind": "SmtpRelay", "metadata": meta, "spec": spec})


def provider(name: str, world: World) -> UpstreamProvider:
    """A provider whose Secret has its own name."""
    spec = merged(
        {"type": "smtp", "host": f"{name}.example", "auth": {"secretRef": {"name": name}}}, world.get("spec", {})
    )
    if spec["type"] == "capture":
        spec = {"type": "capture"}
    meta = {"name": name, "namespace": "smtp", "generation": world.get("generation", 1)}
    return UpstreamProvider.from_json({**API, "kind": "UpstreamProvider", "metadata": meta, "spec": spec})


@cache
def _secret(name: str) -> Secret:
    text = {"username": "user", "password": "test"}
    return Secret.from_json(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "smtp"}, "stringData": text}
    )


def planned(world: World) -> Plan:
    """The real plan of a world's resources, with a digest that does not change with the plan's code."""
    one = relay(world)
    providers = tuple(provider(name, said or {}) for name, said in world.get("providers", {"main": {}}).items())
    secrets = tuple(_secret(name) for name in world.get("secrets", [each.metadata.name for each in providers]))
    made = plan(
        Snapshot(one, Resources(relays=(one,), providers=providers, secrets=secrets), Fresh("revision", "token"))
    )
    extra = tuple(finding(said, ObjectRef("SmtpRelay", "smtp", "smtp-relay")) for said in world.get("findings", ()))
    broken = {"config": None, "digest": "", "content": b""} if world.get("noConfig") else {"digest": DIGEST}
    return replace(made, findings=(*made.findings, *extra), **broken)


def finding(said: World, default: ObjectRef) -> Finding:
    """A finding; `object` and `rival` are written `Kind namespace/name`."""
    return Finding(
        reference(said["object"]) if "object" in said else default,
        said.get("field", ""),
        next(one for one in Reason if one.value == said["reason"]),
        said.get("message", "what is so"),
        said.get("remedy", "what to do"),
        reference(said["rival"]) if "rival" in said else ObjectRef(),
    )


def reference(text: str) -> ObjectRef:
    """Read `Kind namespace/name`."""
    kind, _, key = text.partition(" ")
    namespace, _, name = key.partition("/")
    return ObjectRef(kind, namespace, name)


def upstream(name: str, said: World) -> UpstreamReport:
    """What a pod reports of an upstream."""
    base = {"name": name, "provider": name, "endpoint": f"{name}.example:587"}
    return UpstreamReport.from_json({**base, **moved(dict(said))})


def report(said: World, made: Plan, now: float) -> RelayReport:
    """What a pod reports."""
    names = [one.name for one in made.config.upstreams] if made.config else []
    upstreams = {**{name: {} for name in names}, **said.get("upstreams", {})}
    base = {"namespace": "smtp", "name": "smtp-relay", "pid": 7, "started": T0 - 1000, "time": now, "digest": DIGEST}
    rest = moved({key: value for key, value in said.items() if key != "upstreams"})
    listed = [upstream(name, one).model_dump(mode="json", by_alias=True) for name, one in upstreams.items()]
    return RelayReport.from_json({**base, "accepting": True, **rest, "upstreams": listed})


def pod(index: int, said: World, made: Plan, now: float) -> PodView:
    """A pod that runs and reports, unless it says otherwise."""
    answer: RelayReport | Silence | None = None
    if "silent" in said:
        answer = Silence(said["silent"]["why"], T0 + said["silent"]["since"])
    elif said.get("report", {}) is not None:
        answer = report(said.get("report", {}), made, now)
    return PodView(
        name=f"smtp-relay-{index}",
        ordinal=index,
        ip=f"10.0.0.{index + 1}",
        ready=said.get("ready", True),
        current=said.get("current", True),
        terminating=said.get("terminating", False),
        created=T0,
        trouble=said.get("trouble", ""),
        restarts=said.get("restarts", 0),
        report=answer,
        gone_by=T0 + said["goneBy"] if "goneBy" in said else 0,
    )


def relay_view(world: World, now: float, previous: SmtpRelayStatus | None) -> RelayView:
    """The view of a relay."""
    made = planned(world)
    pods = tuple(pod(index, one or {}, made, now) for index, one in enumerate(world.get("pods", [{}])))
    ready = sum(one.ready for one in pods)
    return RelayView(
        relay=relay(world).model_copy(update={"status": previous}),
        plan=made,
        now=now,
        workload=WorkloadView(True, len(pods), len(pods), ready, len(pods), world.get("observed", True)),
        pods=pods,
        obstacles=tuple(Obstacle(**one) for one in world.get("obstacles", ())),
        holding=world.get("holding", {}),
        away=frozenset(world.get("away", ())),
        address="smtp-relay.smtp.svc.cluster.local:25",
        ephemeral=world.get("ephemeral", False),
        proved=frozenset(world.get("proved", ())),
        refuted={name: condition(said) for name, said in world.get("refuted", {}).items()},
    )


def condition(said: World) -> Condition:
    """A provider's Ready that is False."""
    return Condition.from_json(
        {"type": "Ready", "status": "False", "lastTransitionTime": "2026-09-01T00:00:00Z", **said}
    )


def provider_view(world: World, now: float, previous: UpstreamProviderStatus | None) -> ProviderView:
    """The view of provider `main`."""
    one = provider("main", world).model_copy(update={"status": previous})
    return ProviderView(
        provider=one,
        now=now,
        used_by=tuple(_used(said) for said in world.get("usedBy", [{"pods": [{}]}])),
        findings=tuple(
            finding(said, ObjectRef("UpstreamProvider", "smtp", "main")) for said in world.get("findings", ())
        ),
        external=Obstacle(**world["external"]) if "external" in world else None,
    )


def _used(said: World) -> UsedBy:
    pods = said.get("pods", [])
    name = said.get("relay", "smtp-relay")
    return UsedBy(
        namespace="smtp",
        relay=name,
        handle="main",
        reports=tuple(upstream("main", one or {}) for one in pods),
        reporting=tuple(f"{name}-{index}" for index in range(len(pods))),
        revision=said.get("revision", "r1"),
        settled=said.get("settled", True),
        spends_reserve=said.get("spendsReserve", False),
    )


def alias_view(world: World, now: float, previous: MailAliasStatus | None) -> AliasView:
    """The view of alias `sales`."""
    spec = {
        "relayRef": {"namespace": "smtp", "name": "smtp-relay"},
        "addresses": [{"value": "sales@example.com"}],
        "destinations": [{"name": "alice", "mailbox": {"address": "alice@example.org"}}],
    }
    meta = {"name": "sales", "namespace": "shop", "generation": world.get("generation", 1)}
    alias = MailAlias.from_json({**API, "kind": "MailAlias", "metadata": meta, "spec": spec})
    return AliasView(
        alias=alias.model_copy(update={"status": previous}),
        now=now,
        relay_known=world.get("relayKnown", True),
        applied=world.get("applied", True),
        relay_ready=world.get("relayReady", True),
        findings=tuple(finding(one, ObjectRef("MailAlias", "shop", "sales")) for one in world.get("findings", ())),
        resolved=tuple(world.get("resolved", ["alice@example.org"])),
        forwarded=world.get("forwarded", 0),
        failed=world.get("failed", 0),
    )
