"""The payload arrives byte for byte as PostgreSQL writes it, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

import pytest
from harness.bridge import Bridge
from harness.database import Database
from harness.device import Device

Connect = Callable[..., Awaitable[Device]]

PAYLOADS = {
    "one byte": "1",
    "an empty object": "{}",
    "an empty string": '""',
    "JSON null": "null",
    "false": "false",
    "8,001 bytes": json.dumps({"text": "x" * 7_989}),
    "125 and 126 bytes around a frame's first length": json.dumps({"text": "y" * 40}),
    "one scalar of every Unicode plane": json.dumps(
        "".join(chr(plane << 16 | 0x1234) for plane in range(17)), ensure_ascii=False),
    "combining marks, right to left, zero width": json.dumps("e\u0301 שלום \u200b\u200d 👩‍👩‍👧‍👦 \ufeff", ensure_ascii=False),
    "controls, escaped": json.dumps("".join(map(chr, range(1, 32))) + "\x7f\x80\u2028\u2029"),
    "quotes and backslashes": json.dumps('\\ "quoted" \\\\ </script> \' %s $1 \\u0041'),
    "what looks like our own message": json.dumps({"type": "notification", "cursor": "x", "data": {"id": 1}}),
    "numbers beyond any double": "[1e400, -0.0, 123456789012345678901234567890.000, 1E-30, 0.1]",
    "duplicate keys and odd blanks": '{ "b" : 1,\n"a":2 , "b":3 }',
    "5,000 levels": "[" * 5_000 + "]" * 5_000,
    "many keys": json.dumps({f"key {n}": n for n in range(2_000)}),
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
async def test_data_is_what_postgresql_writes(shared_bridge: Bridge, shared_database: Database, connect: Connect, payload: str) -> None:
    """Live and replayed."""
    user = await shared_database.value("SELECT nextval('test_user')")
    unsent = await shared_database.insert(user, payload)
    device = await connect(shared_bridge, user)
    live = await shared_database.insert(user, payload)
    for id, message in zip((unsent, live), await device.notifications(2), strict=True):
        assert message.id == id
        assert message.data == (await shared_database.row(id))["text"].encode()
    await shared_database.sent([unsent, live])


async def test_five_megabytes_arrive_whole(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    id = await database.value(
        "INSERT INTO notification (user_id, data) SELECT 1, jsonb_build_object('text', string_agg(md5(n::text), ' ')) "
        "FROM generate_series(1, 160000) AS n RETURNING id")
    message = await device.notification(30)
    assert len(message.data) > 5_000_000
    assert message.data == (await database.row(id))["text"].encode()
    await database.sent(id)
    # It was behind nothing in the queue, so the connection is still good.
    sentinel = await database.insert(1)
    assert (await device.notification()).id == sentinel


async def test_null_data_is_json_null(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    id = await database.insert(1, None)
    message = await device.notification()
    assert message.data == b"null" and message.raw.endswith(b'"data":null}')
    await database.sent(id)
    unsent = await database.insert(2, None)
    replayed = await connect(bridge, 2)
    message = await replayed.notification()
    assert (message.id, message.data) == (unsent, b"null")


async def test_every_length_around_the_frame_headers_is_framed_right(bridge: Bridge, database: Database, connect: Connect) -> None:
    device = await connect(bridge, 1)
    hello = await database.insert(1, '""')
    overhead = len((await device.notification()).raw) - 2
    lengths = [*range(126 - overhead - 3, 130 - overhead)] + [*range(65_536 - overhead - 30, 65_540 - overhead)]
    lengths = [length for length in lengths if length > 0]
    ids = [row[0] for row in await database.execute(
        "INSERT INTO notification (user_id, data) SELECT 1, to_jsonb(repeat('z', n)) FROM unnest(%s::int[]) WITH ORDINALITY AS l (n, o) "
        "ORDER BY o RETURNING id", (lengths,))]
    got = await device.notifications(len(lengths))
    assert [message.id for message in got] == ids
    assert [len(message.data) - 2 for message in got] == lengths
    assert hello < ids[0]
