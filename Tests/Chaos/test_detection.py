"""The same runs with a rule taken out: each is seen to fail, so a run that passes says something."""

from __future__ import annotations

import pytest
from harness.link import Link
from scenario import DOUBLED, LOST, MARKED_WRONG, MISROUTED, Scenario

TRIGGER = """
CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
CREATE TRIGGER {name} {when} ON notification FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION broken();
"""


class Forgetting(Link):
    """A link in front of a bridge that drops the cursor of each connect: a bridge that replays nothing that was sent."""

    async def _accept(self, reader, writer):  # noqa: ANN001, ANN202
        head = await reader.readuntil(b"\r\n\r\n")
        edited = head.replace(b"&since=", b"&left=")
        assert not reader._buffer
        reader.feed_data(edited)
        await super()._accept(reader, writer)


async def broken(scenario: Scenario, rules: set[str], **options: object) -> None:
    """Runs it without a further fault: rows of that kind must be counted."""

    async def nothing() -> None:
        await scenario.flow(0.5)

    result, _ = await scenario.run(nothing, **options)
    assert result.count(rules) > 0, scenario.examples(result)


@pytest.mark.short
async def test_lost_without_replay(scenario: Scenario) -> None:
    """A connect replays nothing after its cursor."""
    link = await Forgetting(await scenario.start()).open()
    scenario.cleanup.callback(link.close)
    await broken(scenario, LOST, targets=lambda: [link])


async def test_lost_without_transaction_id(scenario: Scenario) -> None:
    """Some rows carry no transaction id, so no delta has them."""
    await scenario.start()
    await scenario.database.execute("DROP TRIGGER notify_bridge_renew ON notification")
    await scenario.database.execute(TRIGGER.format(
        name="zz_broken", when="AFTER INSERT", condition="NEW.id % 50 = 0",
        body="UPDATE notification SET txid = NULL WHERE id = NEW.id; RETURN NULL;"))
    await broken(scenario, LOST)


async def test_doubled_by_resending(scenario: Scenario) -> None:
    """Some rows get a new transaction id once they are marked, so a second delta has them too."""
    await scenario.start()
    await scenario.database.execute(TRIGGER.format(
        name="zz_broken", when="AFTER UPDATE OF sent_at", condition="NEW.id % 50 = 0 AND NEW.txid = OLD.txid",
        body="UPDATE notification SET txid = pg_current_xact_id() WHERE id = NEW.id; RETURN NULL;"))
    await broken(scenario, DOUBLED)


async def test_misrouted_to_a_neighbour(scenario: Scenario) -> None:
    """Some rows name another recipient once they are marked: somebody got a row of another user."""
    await scenario.start()
    await scenario.database.execute("DROP TRIGGER notify_bridge_renew ON notification")
    await scenario.database.execute(TRIGGER.format(
        name="zz_broken", when="BEFORE UPDATE OF sent_at", condition="NEW.id % 50 = 0",
        body="NEW.user_id := NEW.user_id % 12 + 1; RETURN NEW;"))
    await broken(scenario, MISROUTED)


async def test_marked_before_written(scenario: Scenario) -> None:
    """Some rows are marked when they are inserted, for users without a device too."""
    await scenario.start()
    await scenario.database.execute(TRIGGER.format(
        name="zz_broken", when="BEFORE INSERT", condition="NEW.id % 10 = 0",
        body="NEW.is_sent := true; NEW.sent_at := clock_timestamp(); RETURN NEW;"))
    await broken(scenario, MARKED_WRONG)
