"""What happens in the demo, act by act: a fault of the first upstream, mails during it, what the status says, and how
it is mended. The acts are functions of the stage; their order matters, for each begins where the one before ended.
"""

from tests.support.demo.ledger import Mail
from tests.support.demo.stage import Stage

SHOP = "orders@shop.example"
NEWS = "news@letters.example"
CAROL, DAVE, ERIN = "carol@example.org", "dave@example.org", "erin@example.net"
SALES, TEAM = "sales@example.com", "team+today@example.com"
ALICE, BOB = "alice@example.net", "bob@example.org"
"""The mailboxes behind the aliases of examples/quickstart/aliases.yaml."""


def working(stage: Stage) -> None:
    """The provider works"""
    stage.tell("Apps send to one mailbox, to an alias, and to several at once. An alias may lead to many.")
    stage.send(
        Mail("Welcome", SHOP, (CAROL,), (CAROL,)),
        Mail("An enquiry", SHOP, (SALES,), (ALICE,)),
        Mail("Stand-up at nine", SHOP, (TEAM, DAVE), (ALICE, BOB, DAVE)),
        by="provider",
    )


def hanging(stage: Stage) -> None:
    """The provider hangs: it never answers MAIL"""
    stage.provider.play(mail="hang")
    stage.tell("The app does not wait for it: its mail is on disk. After 2 s (replyTimeout) the next way out is taken.")
    stage.send(Mail("Order 1001", SHOP, (CAROL,), (CAROL,)), by="inbox")
    stage.provider.play()


def refusing_the_from(stage: Stage) -> None:
    """The provider refuses a From, after the final dot"""
    identities = "The following identities failed the check in region EU-WEST-1: news@letters.example"
    reply = f"554 Message rejected: Email address is not verified. {identities}"
    stage.provider.play(dot={"reply": reply, "times": 1})
    stage.tell("It is no fault of the recipient: nothing bounces, and that domain's mail takes the next way out.")
    stage.send(Mail("Newsletter 7", NEWS, (ERIN,), (ERIN,)), by="inbox")
    stage.tell("Another sender's mail still goes by the provider; that of the refused one does not even ask.")
    stage.send(Mail("Order 1002", SHOP, (DAVE,), (DAVE,)), by="provider")
    stage.send(Mail("Newsletter 8", NEWS, (ERIN, SALES), (ERIN, ALICE)), by="inbox")


def refusing_connections(stage: Stage) -> None:
    """The provider is down: connections are refused"""
    stage.provider.stop()
    stage.send(
        Mail("Order 1003", SHOP, (CAROL,), (CAROL,)),
        Mail("Another enquiry", SHOP, (SALES, ERIN), (ALICE, ERIN)),
        by="inbox",
    )


def back_again(stage: Stage) -> None:
    """The provider is back"""
    stage.provider.start()
    stage.tell("The breaker lets one mail through as a trial, ten seconds after it opened; nobody has to do anything.")
    stage.until(lambda: stage.upstream("provider")["breaker"] != "Open", lambda: ["the breaker stays open"], 20)
    stage.send(Mail("Order 1004", SHOP, (CAROL,), (CAROL,)), by="provider")


def refusing_the_password(stage: Stage) -> None:
    """The provider answers 535: the password is not valid any more"""
    stage.provider.stop()
    stage.provider.password = "a-new-one-for-the-demo"
    stage.provider.start()
    stage.tell("After the first 535 the password is not tried for every mail: providers lock accounts that insist.")
    stage.send(
        Mail("Order 1005", SHOP, (DAVE,), (DAVE,)),
        Mail("Order 1006", SHOP, (TEAM,), (ALICE, BOB)),
        by="inbox",
    )


def a_new_password(stage: Stage) -> None:
    """The Secret gets the new password"""
    stage.relay.edit("only-for-the-demo", stage.provider.password)
    stage.tell("An edit of the file is enough. The relay is not started again, and tries the new password at once.")
    stage.until(lambda: stage.upstream("provider")["breaker"] == "Closed", lambda: ["the breaker stays open"])
    stage.send(Mail("Order 1007", SHOP, (CAROL,), (CAROL,)), by="provider")


def over_quota(stage: Stage) -> None:
    """The provider answers 550 5.4.5: the day's quota is spent"""
    stage.provider.play(mail="550 5.4.5 Daily user sending quota exceeded")
    stage.tell("The reply says permanent, and is not: a relay that believed it would have bounced these.")
    stage.send(
        Mail("Order 1008", SHOP, (CAROL, SALES, TEAM), (CAROL, ALICE, BOB)),
        Mail("Order 1009", SHOP, (DAVE,), (DAVE,)),
        by="inbox",
    )


ACTS = (
    working,
    hanging,
    refusing_the_from,
    refusing_connections,
    back_again,
    refusing_the_password,
    a_new_password,
    over_quota,
)
