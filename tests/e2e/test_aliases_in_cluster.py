"""Item 7: an alias for two mailboxes, changed and deleted; a conflicting alias is shown on both."""

import pytest
from tests.support.e2e import resources
from tests.support.e2e.stage import Mail, ProviderPod, Stage

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ADDRESS = "sales@example.com"
ALICE, BOB, CAROL = "alice@example.net", "bob@example.org", "carol@example.net"


@pytest.fixture(scope="module")
def provider(stage: Stage) -> ProviderPod:
    """A provider behind a relay that takes mail for aliases in example.com."""
    stage.app()
    provider = stage.provider("provider")
    aliases = {"domains": [{"name": "example.com"}]}
    stage.apply(resources.provider("provider", provider.host), resources.relay(["provider"], aliases=aliases))
    stage.wait_condition("smtprelay/relay", "Ready", "True")
    return provider


def test_an_alias_leads_to_two_mailboxes_until_it_is_changed_and_deleted(stage: Stage, provider: ProviderPod) -> None:
    stage.apply(resources.alias("sales", ADDRESS, [ALICE, BOB]))
    took = stage.wait_condition("mailalias/sales", "Ready", "True", "Forwarding", seconds=30)
    assert _reached(stage, provider, "both") == [ALICE, BOB]
    assert stage.get("mailalias", "sales")["status"]["resolved"] == [ALICE, BOB]
    assert stage.condition("mailalias/sales", "Conflicted")["status"] == "False"

    stage.apply(resources.alias("sales", ADDRESS, [CAROL]))
    resolved = stage.until(lambda: stage.get("mailalias", "sales")["status"]["resolved"] == [CAROL], 30)
    stage.wait_condition("mailalias/sales", "Ready", "True", "Forwarding", seconds=30)
    assert _reached(stage, provider, "changed") == [CAROL]

    stage.ask("delete", "mailalias", "sales", "--timeout=20s")
    refused = ("deleted 0", 550, f"5.1.1 {ADDRESS} is unknown here; add a MailAlias for it")
    gone = stage.until(lambda: refused in stage.send(Mail("deleted", recipients=(ADDRESS,))).answers, 30)
    print(f"alias live after {took:.1f} s, changed after {resolved:.1f} s, gone after {gone:.1f} s")


def test_a_conflict_is_shown_on_both_and_the_older_one_keeps_the_address(stage: Stage, provider: ProviderPod) -> None:
    stage.apply(resources.alias("older", ADDRESS, [ALICE]))
    stage.wait_condition("mailalias/older", "Ready", "True", "Forwarding", seconds=30)
    stage.apply(resources.alias("newer", ADDRESS, [BOB]))
    lost = stage.wait_condition("mailalias/newer", "Conflicted", "True", "AliasConflict", seconds=15)
    won = stage.wait_condition("mailalias/older", "Conflicted", "True", "ConflictWon", seconds=15)
    print(f"conflict told on the one that lost after {lost:.1f} s, on the other {won:.1f} s later")
    print(stage.ask("get", "aliases"))
    assert stage.condition("mailalias/newer", "Accepted")["status"] == "False"
    assert stage.condition("mailalias/newer", "Reconciling") == {}
    assert f"{stage.namespace}/older" in stage.condition("mailalias/newer", "Conflicted")["message"]
    assert f"{stage.namespace}/newer" in stage.condition("mailalias/older", "Conflicted")["message"]
    assert stage.condition("mailalias/older", "Ready")["status"] == "True"
    assert _reached(stage, provider, "conflict") == [ALICE]

    stage.ask("delete", "mailalias", "older", "--timeout=20s")
    stage.wait_condition("mailalias/newer", "Ready", "True", "Forwarding", seconds=30)
    assert stage.condition("mailalias/newer", "Conflicted")["status"] == "False"
    assert _reached(stage, provider, "inherited") == [BOB]


def _reached(stage: Stage, provider: ProviderPod, subject: str) -> list[str]:
    """Send one mail to the address; gives the mailboxes that it reached, sorted."""
    known = len(provider.mails())
    stage.accepted(Mail(subject, recipients=(ADDRESS,)))
    stage.until(lambda: len(provider.mails()) > known, 20)
    return sorted(str(to) for one in provider.mails()[known:] for to in one["to"])
