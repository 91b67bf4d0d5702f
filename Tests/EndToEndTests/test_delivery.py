"""From INSERT to socket, and back to is_sent: who gets what, in which order, and byte for byte what."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Awaitable, Callable

import pytest
from harness.bridge import Bridge
from harness.cluster import Cluster
from harness.database import Database
from harness.device import Device
from harness.waiting import eventually

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]


async def test_an_inserted_row_reaches_the_socket_and_is_marked_sent(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 42)
    id = await database.insert(42, '{"title": "hello"}')
    message = await device.notification()
    row = await database.row(id)
    assert message.id == id
    assert message.data == row["text"].encode()
    assert json.loads(message.raw)["data"] == {"title": "hello"}
    await database.sent(id)
    row = await database.row(id)
    assert row["created_at"] <= row["sent_at"]
    assert row["is_read"] is False and row["read_at"] is None


async def test_every_device_of_the_user_gets_the_row_and_nobody_else_does(bridge: Bridge, database: Database, connect: Connect) -> None:
    devices = [await connect(bridge, 1) for _ in range(3)]
    other = await connect(bridge, 2)
    id = await database.insert(1)
    for device in devices:
        assert (await device.notification()).id == id
    sentinel = await database.insert(2)
    assert (await other.notification()).id == sentinel
    for device in devices:
        assert await device.barrier() == []


async def test_a_user_id_of_nineteen_digits_and_a_negative_one_are_users_like_others(bridge: Bridge, database: Database, connect: Connect) -> None:
    for user in (9_223_372_036_854_775_807, -7):
        device = await connect(bridge, user)
        id = await database.insert(user)
        assert (await device.notification()).id == id
        assert device.messages[0].fields["user_id"] == user


async def test_a_transaction_that_rolls_back_sends_nothing(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    writer = await database.connect(autocommit=False)
    await writer.execute("INSERT INTO notification (user_id, data) VALUES (1, '{\"lost\": true}')")
    await writer.rollback()
    await writer.close()
    sentinel = await database.insert(1)
    assert (await device.notification()).id == sentinel


async def test_of_savepoints_only_what_is_committed_comes(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    writer = await database.connect(autocommit=False)
    for statement in (
        "INSERT INTO notification (user_id, data) VALUES (1, '\"before\"')", "SAVEPOINT a",
        "INSERT INTO notification (user_id, data) VALUES (1, '\"undone\"')", "ROLLBACK TO a",
        "SAVEPOINT b", "INSERT INTO notification (user_id, data) VALUES (1, '\"kept\"')", "RELEASE b",
    ):
        await writer.execute(statement)
    await writer.commit()
    await writer.close()
    assert [message.data for message in await device.notifications(2)] == [b'"before"', b'"kept"']
    await database.insert(1, '"sentinel"')
    assert (await device.notification()).data == b'"sentinel"'


async def test_a_row_waits_unsent_for_its_user_and_is_delivered_on_connecting(bridge: Bridge, database: Database, connect: Connect) -> None:
    ids = await database.insert_many(1, 3)
    other = await connect(bridge, 2)
    await database.insert(2)
    await database.sent((await other.notification()).id)
    assert await database.unsent() == ids
    device = await connect(bridge, 1)
    assert [message.id for message in await device.notifications(3)] == ids
    await database.sent(ids)
    again = await connect(bridge, 1)
    assert await again.barrier() == []


async def test_a_row_without_user_is_delivered_to_nobody_and_counted(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    before = (await bridge.metrics())["notify_bridge_rows_without_user_total"]
    id = await database.insert(None)
    sentinel = await database.insert(1)
    assert (await device.notification()).id == sentinel
    await database.sent(sentinel)
    assert await database.unsent() == [id]
    assert (await bridge.metrics())["notify_bridge_rows_without_user_total"] == before + 1


async def test_a_row_inserted_as_sent_is_not_delivered(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    hidden = await database.insert(1, is_sent=True)
    sentinel = await database.insert(1)
    assert (await device.notification()).id == sentinel
    again = await connect(bridge, 1)
    assert hidden not in again.ids
    row = await database.row(hidden)
    assert row["is_sent"] is True and row["sent_at"] is None


async def test_a_row_that_an_orm_puts_back_to_unsent_is_not_sent_again(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    id = await database.insert(1)
    await device.notification()
    await database.sent(id)
    await database.execute("UPDATE notification SET is_sent = false WHERE id = %s", (id,))
    again = await connect(bridge, 1)
    assert await again.barrier() == []
    assert await device.barrier() == []


async def test_resend_delivers_again_to_connected_devices_and_marks_again(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    id = await database.insert(1, '"x"')
    await device.notification()
    await database.sent(id)
    first = (await database.row(id))["sent_at"]
    assert await database.value("SELECT notify_bridge.resend('public.notification', %s)", ([id],)) == 1
    again = await device.notification()
    assert (again.id, again.data) == (id, b'"x"')
    await database.sent(id)
    assert (await database.row(id))["sent_at"] > first


async def test_rows_of_one_statement_arrive_in_id_order(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    ids = await database.insert_many(1, 300)
    assert [message.id for message in await device.notifications(300)] == ids
    await database.sent(ids)


async def test_rows_of_one_transaction_arrive_in_id_order_whatever_order_they_were_written_in(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    writer = await database.connect(autocommit=False)
    for id in (9_003, 9_001, 9_002):
        await writer.execute("INSERT INTO notification (id, user_id, data) VALUES (%s, 1, '{}')", (id,))
    await writer.commit()
    await writer.close()
    assert [message.id for message in await device.notifications(3)] == [9_001, 9_002, 9_003]


async def test_a_transaction_that_began_after_another_had_committed_comes_after_it(bridge: Bridge, database: Database, connect: Connect) -> None:
    """Its row has the smaller id; both are in one delta, since the bridge stands still meanwhile."""
    device = await connect(bridge, 1)
    bridge.signal(signal.SIGSTOP)
    await database.execute("INSERT INTO notification (id, user_id, data) VALUES (8002, 1, '{}')")
    await database.execute("INSERT INTO notification (id, user_id, data) VALUES (8001, 1, '{}')")
    bridge.signal(signal.SIGCONT)
    assert [message.id for message in await device.notifications(2)] == [8002, 8001]


@pytest.mark.parametrize("replayed", [False, True], ids=["in a delta", "in a replay"])
async def test_transaction_ids_are_ordered_as_numbers(serve: Serve, connect: Connect, replayed: bool) -> None:
    """Where they get one more digit, their order as text is another one."""
    cluster = Cluster(next_transaction=9_900).start()
    try:
        from conftest import TEMPLATE, make_template

        await make_template(cluster)
        database = await Database.create(cluster, TEMPLATE)
        bridge = await serve(database)
        device = None if replayed else await connect(bridge, 1)
        bridge.signal(signal.SIGSTOP)
        ids = []
        while await database.value("SELECT txid::text::bigint FROM notification ORDER BY id DESC LIMIT 1") < 10_010 if ids else True:
            ids.append(await database.insert(1))
        bridge.signal(signal.SIGCONT)
        device = device or await connect(bridge, 1)
        assert [message.id for message in await device.notifications(len(ids))] == ids
        await database.close()
    finally:
        cluster.remove()


async def test_a_copy_is_delivered_in_order(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    writer = await database.connect()
    async with writer.cursor().copy("COPY notification (user_id, data) FROM STDIN") as copy:
        for number in range(200):
            await copy.write_row((1, json.dumps({"n": number})))
    await writer.close()
    got = await device.notifications(200)
    assert [json.loads(message.data)["n"] for message in got] == list(range(200))


async def test_a_transaction_that_commits_late_is_not_overtaken_for_good(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    slow = await database.connect(autocommit=False)
    cursor = await slow.execute("INSERT INTO notification (user_id, data) VALUES (1, '{}') RETURNING id")
    (early,) = await cursor.fetchone()
    late = [await database.insert(1) for _ in range(20)]
    assert [message.id for message in await device.notifications(20)] == late
    await slow.commit()
    await slow.close()
    assert (await device.notification()).id == early
    assert await device.barrier() == []


async def test_a_prepared_transaction_is_delivered_when_it_is_committed(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    writer = await database.connect()
    for statement in (
        "SET notify_bridge.two_phase = on", "BEGIN",
        "INSERT INTO notification (user_id, data) VALUES (1, '\"prepared\"')", f"PREPARE TRANSACTION '{database.name}'",
    ):
        await writer.execute(statement)
    await database.insert(1, '"meanwhile"')
    assert (await device.notification()).data == b'"meanwhile"'
    await writer.execute(f"COMMIT PREPARED '{database.name}'")
    await writer.close()
    assert (await device.notification()).data == b'"prepared"'


async def test_the_messages_have_the_promised_form(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 42)
    hello = device.messages[0].fields
    assert list(hello) == ["type", "user_id", "timestamp", "group", "epoch", "cursor"]
    assert hello["user_id"] == 42 and hello["group"] == "user_42_notifications"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", hello["timestamp"])
    await database.insert(42, created_at="2026-11-23 09:00:01.000001+01")
    message = await device.notification()
    assert list(message.fields) == ["type", "id", "created_at", "cursor", "data"]
    assert message.created_at == "2026-11-23T08:00:01.000001+00:00"
    device.send({"type": "ping"})
    heartbeat = await device.next()
    assert list(heartbeat.fields) == ["type", "timestamp", "cursor"]


async def test_a_database_in_another_time_zone_and_date_style_changes_no_message(serve: Serve, database: Database, connect: Connect) -> None:
    await database.execute(f"ALTER DATABASE {database.name} SET timezone = 'Asia/Kathmandu'")
    await database.execute(f"ALTER DATABASE {database.name} SET datestyle = 'German, DMY'")
    bridge = await serve(database)
    device = await connect(bridge, 1)
    await database.insert(1, created_at="2026-11-23 08:00:01.5+00")
    assert (await device.notification()).created_at == "2026-11-23T08:00:01.500000+00:00"


async def test_metrics_count_each_delivery_and_each_marking(bridge: Bridge, database: Database, connect: Connect) -> None:
    devices = [await connect(bridge, 1) for _ in range(2)]
    ids = await database.insert_many(1, 5)
    for device in devices:
        await device.notifications(5)
    await database.sent(ids)

    async def look() -> tuple[float, float]:
        samples = await bridge.metrics()
        return samples["notify_bridge_rows_delivered_total"], samples["notify_bridge_rows_marked_total"]

    await eventually(look, lambda seen: seen == (10, 5), "10 deliveries and 5 marks in the metrics")
