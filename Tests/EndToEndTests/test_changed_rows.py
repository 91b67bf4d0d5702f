"""A row whose recipient is changed, or that is made unsent by hand, is found: live, and at a connect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from harness.bridge import Bridge
from harness.database import Database
from harness.device import Device

Connect = Callable[..., Awaitable[Device]]

CHANGES = {
    "a recipient": "UPDATE notification SET user_id = 2 WHERE id = %s",
    "a recipient, by an ORM that saves all columns": "UPDATE notification SET user_id = 2, data = data, is_sent = is_sent, sent_at = sent_at, is_read = is_read WHERE id = %s",
    "both columns, by hand": "UPDATE notification SET is_sent = false, sent_at = NULL WHERE id = %s",
}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_changed_row_is_delivered_live_and_at_a_connect(
    change: str, bridge: Bridge, database: Database, connect: Connect
) -> None:
    user = 1 if change.startswith("both") else 2
    first = await connect(bridge, 1)
    ids = [await database.insert(1, '{"n": 1}') for _ in range(2)]
    await first.notifications(2)
    await database.sent(ids)
    await first.close()
    # Nobody is connected.
    await database.execute(CHANGES[change], (ids[0],))
    assert await database.unsent() == [ids[0]]
    device = await connect(bridge, user)
    message = await device.notification()
    assert (message.id, message.data) == (ids[0], b'{"n": 1}')
    await database.sent(ids[0])
    # Live.
    await database.execute(CHANGES[change], (ids[1],))
    assert (await device.notification()).id == ids[1]
    await database.sent(ids[1])
    # Not a third time, nor to whom it was for before.
    assert await device.barrier() == []
    assert await (await connect(bridge, 1)).barrier() == []


async def test_marking_and_other_changes_send_nothing_again(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    id = await database.insert(1)
    await device.notification()
    await database.sent(id)
    device.send({"type": "read", "ids": [id]})
    await database.execute("UPDATE notification SET data = '{\"n\": 2}', is_sent = false WHERE id = %s", (id,))
    await database.execute("UPDATE notification SET user_id = user_id WHERE id = %s", (id,))
    sentinel = await database.insert(1)
    assert (await device.notification()).id == sentinel
    assert await device.barrier() == []
