"""What the console answers: to whom, with which figures, and what it lets somebody do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from harness.bridge import Bridge
from harness.cluster import Cluster, free_port
from harness.console import KEY, Console
from harness.database import Database
from harness.device import Device
from harness.slow import SlowLink
from harness.waiting import eventually

Connect = Callable[..., Awaitable[Device]]
Serve = Callable[..., Awaitable[Bridge]]

PAGES = ["/console", "/console/console.css", "/console/console.js", "/console/chart.js", "/console/parts.js"]
GETS = ["state", "history", "user?id=1", "timeline?source=public.notification&id=1"]
ACTIONS: dict[str, dict[str, Any]] = {
    "resend": {"source": "public.notification", "id": "1"}, "disconnect": {"user": 1}, "test": {"user": 1},
    "retry": {"source": "public.notification", "id": None},
}
JSON = {"Content-Type": "application/json"}


async def statuses(bridge: Bridge, headers: dict[str, str]) -> list[int]:
    """Of everything below /console/api."""
    got = [(await bridge.get(f"/console/api/{path}", headers))[0] for path in GETS]
    for action, body in ACTIONS.items():
        got.append((await bridge.get(f"/console/api/{action}", JSON | headers, "POST", body=json.dumps(body).encode()))[0])
    return got


async def served(serve: Serve, database: Database, *, actions: bool = True) -> tuple[Bridge, Console]:
    bridge = await serve(
        database, NOTIFY_BRIDGE_AUTH_SERVICE_KEY=KEY, NOTIFY_BRIDGE_CONSOLE_ACTIONS="true" if actions else None)
    await bridge.ready()
    return bridge, Console(bridge, key=KEY)


# MARK: Who is answered


async def test_nothing_is_there_without_key_and_admin_port(serve: Serve, database: Database) -> None:
    bridge = await serve(database, NOTIFY_BRIDGE_CONSOLE_ACTIONS="true")
    assert [(await bridge.get(path))[0] for path in PAGES] == [404] * len(PAGES)
    assert set(await statuses(bridge, {})) == {404}
    assert set(await statuses(bridge, {"Authorization": "Bearer "})) == {404}


async def test_the_key_opens_it_and_nothing_else_does(serve: Serve, database: Database) -> None:
    bridge, _ = await served(serve, database)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {KEY}"}, {"Authorization": f"Bearer {KEY}x"}, {"Authorization": "Bearer"}):
        assert set(await statuses(bridge, headers)) == {401}, headers
    _, headers, body = await bridge.get("/console/api/state")
    assert headers["www-authenticate"] == "Bearer" and "key" in json.loads(body)["error"]
    assert set(await statuses(bridge, {"Authorization": f"Bearer {KEY}"})) == {200}
    # The page has no data, and asks for the key.
    assert [(await bridge.get(path))[0] for path in PAGES] == [200] * len(PAGES)
    assert await database.value("SELECT count(*) FROM notification") == 1, "the test of the one call with the key"
    assert KEY not in "\n".join(bridge.stderr.lines)


async def test_the_admin_port_needs_no_key_and_has_it_alone(serve: Serve, database: Database) -> None:
    port = free_port()
    bridge = await serve(database, NOTIFY_BRIDGE_HTTP_ADMIN_PORT=str(port))
    assert [(await bridge.get(path))[0] for path in PAGES] == [404] * len(PAGES)
    assert set(await statuses(bridge, {})) == {404}
    console = Console(bridge, port=port)
    assert [(await console.bridge.get(path))[0] for path in PAGES] == [200] * len(PAGES)
    assert (await console.state())["actions"] is False


async def test_another_origin_is_refused_with_the_key_and_at_the_admin_port(serve: Serve, database: Database) -> None:
    port = free_port()
    bridge = await serve(
        database, NOTIFY_BRIDGE_HTTP_ADMIN_PORT=str(port), NOTIFY_BRIDGE_AUTH_SERVICE_KEY=KEY,
        NOTIFY_BRIDGE_CONSOLE_ACTIONS="true", NOTIFY_BRIDGE_AUTH_ORIGINS="https://app.example.com")
    await bridge.ready()
    admin = Console(bridge, port=port).bridge
    for origin in ("https://evil.example", "https://app.example.com", "null", "http://127.0.0.1:1", f"http://127.0.0.1:{port}.evil.example"):
        headers = {"Origin": origin}
        assert set(await statuses(bridge, headers | {"Authorization": f"Bearer {KEY}"})) == {403}, origin
        assert set(await statuses(admin, headers)) == {403}, origin
        assert (await admin.get("/console", headers))[0] == 403, origin
    for site in ("cross-site", "same-site"):
        assert set(await statuses(bridge, {"Sec-Fetch-Site": site, "Authorization": f"Bearer {KEY}"})) == {403}, site
        assert set(await statuses(admin, {"Sec-Fetch-Site": site})) == {403}, site
    assert await database.value("SELECT count(*) FROM notification") == 0
    own = {"Origin": f"http://127.0.0.1:{port}", "Sec-Fetch-Site": "same-origin"}
    status, headers, _ = await admin.get("/console/api/state", own)
    # No other site may read an answer either.
    assert status == 200 and "access-control-allow-origin" not in headers


async def test_a_name_of_another_site_that_leads_to_the_admin_port_is_refused(serve: Serve, database: Database) -> None:
    port = free_port()
    bridge = await serve(
        database, NOTIFY_BRIDGE_HTTP_ADMIN_PORT=str(port), NOTIFY_BRIDGE_AUTH_ORIGINS="https://bridge.example.com")
    admin = Console(bridge, port=port).bridge
    for host, status in {"evil.example": 403, f"evil.example:{port}": 403, "localhost": 200, f"[::1]:{port}": 200, "bridge": 200,
                         "bridge.example.com": 200, "": 403}.items():
        assert (await admin.get("/console", {"Host": host}))[0] == status, host
        assert (await admin.get("/console/api/state", {"Host": host}))[0] == status, host


async def test_a_form_of_another_site_can_do_nothing(serve: Serve, database: Database) -> None:
    port = free_port()
    bridge = await serve(database, NOTIFY_BRIDGE_HTTP_ADMIN_PORT=str(port), NOTIFY_BRIDGE_CONSOLE_ACTIONS="true")
    console = Console(bridge, port=port)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain; application/json", ""):
        assert (await console.post("test", {"user": 1}, {"Content-Type": kind}))[0] == 415, kind
    assert (await console.bridge.get("/console/api/state", method="OPTIONS"))[0] == 405
    assert (await console.bridge.get("/console/api/test", JSON))[0] == 405
    assert await database.value("SELECT count(*) FROM notification") == 0


async def test_the_page_loads_nothing_from_elsewhere_and_stands_in_no_frame(serve: Serve, database: Database) -> None:
    bridge, _ = await served(serve, database)
    for path in PAGES:
        _, headers, body = await bridge.get(path)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
        assert b"http://" not in body.replace(b"http://www.w3.org/2000/svg", b"") and b"https://" not in body


# MARK: Figures


async def test_the_figures_are_those_of_the_sql_functions(serve: Serve, database: Database, connect: Connect) -> None:
    await database.execute(
        "INSERT INTO notification (user_id, data, created_at) SELECT n % 2, '{}', now() - n * interval '1 hour' FROM generate_series(1, 5) AS n")
    bridge, console = await served(serve, database, actions=False)
    backlog = (await console.figure("backlog"))["value"]
    rows = await database.execute("SELECT age_bucket, rows, users FROM notify_bridge.report_backlog()")
    assert [(bucket["age_bucket"], bucket["rows"], bucket["users"]) for bucket in backlog] == rows
    assert sum(bucket["rows"] for bucket in backlog) == 5
    replicas = (await console.figure("replicas"))["value"]
    assert [replica["pid"] for replica in replicas] == [bridge.pid]
    await connect(bridge, 7)
    state = await console.state()
    assert (state["connections"], state["users"], state["actions"], state["failing"]) == (1, 1, False, [])
    assert state["doorbell"]["state"] in ("quiet", "arming", "busy") and state["slow"] == []
    assert state["tables"] == ["public.notification"]


async def test_the_last_hour_has_rates_latencies_and_sockets(serve: Serve, database: Database, connect: Connect) -> None:
    bridge, console = await served(serve, database)
    device = await connect(bridge, 1)
    await database.insert_many(1, 100)
    await device.notifications(100)

    async def look() -> list[Any]:
        return (await console.get("history"))[1]["samples"]

    samples = await eventually(look, lambda seen: any(sample[2] > 0 for sample in seen), "a sample with rows", 15)
    serial, _, rate, connections, p50, p99, p999 = next(sample for sample in samples if sample[2] > 0)
    assert rate <= 100 / 4.5
    assert connections == 1 and 0 < p50 <= p99 <= p999 < 60
    history = (await console.get("history", after=str(serial)))[1]
    assert history["interval"] * history["capacity"] == 3_600
    assert all(sample[0] > serial for sample in history["samples"])
    for odd in ("99999999999999999999", "-1", "x", "", "9223372036854775807"):
        assert (await console.get("history", after=odd))[0] == 200, odd


async def test_a_client_that_reads_slowly_is_shown(serve: Serve, database: Database, connect: Connect) -> None:
    bridge, console = await served(serve, database)

    async def slow() -> list[tuple[str, str]]:
        return [(client["user"], client["remote"]) for client in (await console.state())["slow"] if client["queued_bytes"] > 0]

    async with SlowLink(bridge, pace=1_000_000) as link:
        await connect(link, 3)
        await connect(bridge, 4)
        assert await slow() == []
        # More than both kernels hold.
        for _ in range(8):
            await database.execute("INSERT INTO notification (user_id, data) VALUES (3, to_jsonb(repeat('x', 3000000)))")
        await eventually(slow, lambda seen: seen == [("3", "127.0.0.1")], "the slow client")


async def test_a_user_has_devices_and_rows_with_states(serve: Serve, database: Database, connect: Connect) -> None:
    waiting = await database.insert(42)
    bridge, console = await served(serve, database)
    assert await row_states(console, 42) == {waiting: "waiting"}
    first, second = await connect(bridge, 42), await connect(bridge, 42)
    assert (await first.notification()).id == (await second.notification()).id == waiting
    await database.sent(waiting)
    _, user = await console.get("user", id="42")
    assert [(device["remote"], device["phase"]) for device in user["devices"]] == [("127.0.0.1", "live")] * 2
    assert all(device["messages"] >= 2 for device in user["devices"])
    first.send({"type": "read", "ids": [waiting]})
    await eventually(lambda: row_states(console, 42), lambda seen: seen == {waiting: "read"}, "the row to be read")
    events = (await console.get("timeline", source="public.notification", id=str(waiting)))[1]
    assert [event["event"] for event in events] == ["inserted", "sent", "read"]


async def row_states(console: Console, user: object) -> dict[int, str]:
    _, answer = await console.get("user", id=str(user))
    assert answer["rows"]["problem"] is None, answer
    return {int(row["id"]): row["state"] for row in answer["rows"]["value"]}


async def test_nothing_is_known_of_another_user(serve: Serve, database: Database) -> None:
    await database.insert(1)
    _, console = await served(serve, database)
    for id in ("99", "0", "-1", "1.5", "x'; DROP TABLE notification; --", "ann@example.com", "ü" * 60, "%00%", "\u202e", "9" * 40):
        status, answer = await console.get("user", id=id)
        assert status == 200 and answer["devices"] == [] and answer["rows"] == {"problem": None, "value": []}, id


async def test_odd_ids_are_refused(serve: Serve, database: Database) -> None:
    _, console = await served(serve, database)
    for query in ({}, {"id": ""}, {"id": "x" * 200}, {"id": "1\0"}, {"id": "1\n2"}):
        assert (await console.get("user", **query))[0] == 400, query
    for query in ({}, {"source": "public.notification"}, {"source": "public.notification", "id": "x"}, {"source": "pg_class", "id": "1"},
                  {"source": "public.nothing", "id": "1"}, {"source": "a.b.c.d", "id": "1"}, {"source": "public.notification", "id": "1\0"},
                  {"source": "x" * 2_000, "id": "1"}):
        status, answer = await console.get("timeline", **query)
        assert status == 400 and answer["error"], query
    assert await console.get("timeline", source="public.notification", id="404") == (200, [])
    bodies: list[Any] = [
        b"", b"[]", b"{", b"null", {}, {"user": None}, {"user": ""}, {"user": 1.5}, {"user": [1]}, {"user": "1\0"}, {"user": "x" * 200}]
    for body in bodies:
        assert (await console.post("test", body))[0] == 400, body
        assert (await console.post("disconnect", body))[0] == 400, body
    for body in ({"source": "public.notification"}, {"source": 1, "id": "1"}, {"source": "public.notification", "id": "x"},
                 {"source": "public.notification", "id": {}}, {"source": "public.nothing", "id": "1"}, {"source": "pg_class", "id": "1"}):
        assert (await console.post("resend", body))[0] == 400, body
        if "id" in body:
            assert (await console.post("retry", body))[0] == 400 or body["id"] == "x", body
    assert (await console.post("test", {"user": "ann"}))[0] == 400, "no integer"
    assert (await console.post("test", {"user": 1, "source": "public.nothing"}))[0] == 400
    assert (await console.bridge.get("/console/api/nothing", JSON | console.headers, "POST", body=b"{}"))[0] == 404
    assert await database.value("SELECT count(*) FROM notification") == 0


# MARK: Actions


async def test_actions_are_off_unless_they_are_allowed(serve: Serve, database: Database, connect: Connect) -> None:
    bridge, console = await served(serve, database, actions=False)
    device = await connect(bridge, 1)
    id = await database.insert(1)
    await device.notification()
    await database.sent(id)
    for action, body in ACTIONS.items():
        status, answer = await console.post(action, body)
        assert status == 403 and "NOTIFY_BRIDGE_CONSOLE_ACTIONS" in answer["error"], action
    assert (await database.row(id))["is_sent"] is True
    assert await database.value("SELECT count(*) FROM notification") == 1
    await device.barrier()
    assert not [line for line in bridge.log() if line["message"] == "console action"]


async def test_a_resent_row_comes_again(serve: Serve, database: Database, connect: Connect) -> None:
    bridge, console = await served(serve, database)
    id = await database.insert(1)
    device = await connect(bridge, 1)
    await device.notification()
    await database.sent(id)
    later = await connect(bridge, 1)
    await later.barrier()
    assert await console.post("resend", {"source": "public.notification", "id": str(id)}) == (200, {"rows": 1})
    assert (await later.notification()).id == id
    assert await console.post("resend", {"source": "public.notification", "id": "404"}) == (200, {"rows": 0})
    line = await bridge.logged(lambda line: line["message"] == "console action", "the log line")
    assert (line["action"], line["remote"], line["source"], line["row_id"], line["outcome"], line["level"]) == (
        "resend", "127.0.0.1", "public.notification", str(id), "done", "notice")


async def test_a_test_reaches_the_users_devices_and_nobody_else(serve: Serve, database: Database, connect: Connect) -> None:
    bridge, console = await served(serve, database)
    device, other = await connect(bridge, 5), await connect(bridge, 6)
    status, row = await console.post("test", {"user": 5})
    assert status == 200 and row["table_name"] == "public.notification"
    message = await device.notification()
    assert str(message.id) == row["id"] and json.loads(message.data)["type"] == "notify_bridge.test"
    assert [message.type for message in await other.barrier() if message.type == "notification"] == []
    line = await bridge.logged(lambda line: line["message"] == "console action", "the log line")
    assert (line["action"], line["user"]) == ("test", "5")


async def test_a_disconnected_user_is_closed_everywhere_and_others_stay(serve: Serve, database: Database, connect: Connect) -> None:
    bridge, console = await served(serve, database)
    second = await serve(database)
    devices = [await connect(bridge, 5), await connect(second, 5)]
    other = await connect(bridge, 6)
    assert (await console.post("disconnect", {"user": "5"}))[0] == 200
    assert [(await device.end()).code for device in devices] == [4001, 4001]
    await other.barrier()
    line = await bridge.logged(lambda line: line["message"] == "console action", "the log line")
    assert (line["action"], line["user"], line["outcome"]) == ("disconnect", "5", "done")


async def test_a_quarantined_row_is_tried_again(serve: Serve, database: Database, connect: Connect) -> None:
    await database.execute("UPDATE notify_bridge.source SET payload = 'jsonb_build_object(''quotient'', 1 / (data ->> ''n'')::integer)'")
    bad = await database.insert(1, '{"n": 0}')
    bridge, console = await served(serve, database)

    async def rows() -> list[tuple[str, str]]:
        return [(row["row_id"], row["stage"]) for row in (await console.figure("quarantine"))["value"]["rows"]]

    device = await connect(bridge, 1)
    await eventually(rows, lambda seen: seen == [(str(bad), "read")], "the row in quarantine", 15)
    assert await row_states(console, 1) == {bad: "quarantined"}
    await database.execute("UPDATE notification SET data = '{\"n\": 1}' WHERE id = %s", (bad,))
    assert await console.post("retry", {"source": "public.notification", "id": str(bad)}) == (200, {"rows": 1})
    assert (await device.notification()).id == bad
    assert await console.post("retry", {"source": "public.notification", "id": None}) == (200, {"rows": 0})


# MARK: The database


async def test_its_connection_is_opened_by_the_first_question(serve: Serve, database: Database) -> None:
    async def names() -> list[str]:
        return [name for name, in await database.execute(
            "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%% console'")]

    _, console = await served(serve, database)
    assert await names() == []
    await console.state()
    assert await names() == ["notify-bridge console"]
    await asyncio.gather(*(console.get("user", id="1") for _ in range(10)))
    assert await names() == ["notify-bridge console"]


async def test_slow_questions_are_given_up_and_delivery_goes_on(serve: Serve, database: Database, connect: Connect) -> None:
    await database.execute("""
        CREATE OR REPLACE FUNCTION notify_bridge.user_rows(recipient text, source text DEFAULT NULL, row_limit integer DEFAULT 50)
        RETURNS TABLE (table_name text, id text, state text, created timestamptz, sent_at timestamptz, read_at timestamptz)
        LANGUAGE sql AS $$ SELECT '', '', '', now(), now(), now() FROM pg_sleep(60) $$""")
    bridge, console = await served(serve, database)
    device = await connect(bridge, 1)
    started = time.monotonic()
    asking = asyncio.gather(*(console.get("user", id="1") for _ in range(40)))
    for _ in range(20):
        id = await database.insert(1)
        assert (await device.notification()).id == id
    problems = [answer["rows"]["problem"] for _, answer in await asking]
    assert time.monotonic() - started < 9
    assert all(problems) and any("too many" in problem for problem in problems) and any("busy" in problem for problem in problems), problems
    # The others, and the server, have nothing to wait for.
    assert (await console.figure("replicas"))["problem"] is None
    assert await database.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%user_rows%' AND state = 'active' AND pid <> pg_backend_pid()") == 0


async def test_a_role_with_nothing_but_its_grants_suffices(serve: Serve, database: Database, connect: Connect, cluster: Cluster) -> None:
    await database.execute("DROP ROLE IF EXISTS console_bridge")
    await database.execute("CREATE ROLE console_bridge LOGIN")
    try:
        await database.execute("SELECT notify_bridge.grant_to('console_bridge')")
        bridge = await serve(
            cluster.url(database.name, user="console_bridge"), NOTIFY_BRIDGE_AUTH_SERVICE_KEY=KEY, NOTIFY_BRIDGE_CONSOLE_ACTIONS="true")
        await bridge.ready()
        console = Console(bridge, key=KEY)
        for figure in ("backlog", "replicas", "quarantine"):
            assert (await console.figure(figure))["problem"] is None, figure
        device = await connect(bridge, 1)
        status, row = await console.post("test", {"user": 1})
        assert status == 200 and str((await device.notification()).id) == row["id"]
        await database.sent(int(row["id"]))
        assert list(await row_states(console, 1)) == [int(row["id"])]
        assert (await console.post("resend", {"source": "public.notification", "id": row["id"]}))[0] == 200
        assert (await console.post("retry", {"source": "public.notification", "id": None}))[0] == 200
        assert (await console.post("disconnect", {"user": 1}))[0] == 200
        assert (await device.end()).code == 4001
        await bridge.terminate()
    finally:
        await database.execute("DROP OWNED BY console_bridge")
        await database.execute("DROP ROLE console_bridge")


async def test_without_a_database_it_says_so_and_comes_back(serve: Serve, own_database: Database, own_cluster: Cluster) -> None:
    bridge, console = await served(serve, own_database)
    await console.state()
    own_cluster.stop()

    async def problem() -> str | None:
        return (await console.state())["database"]["problem"]

    await eventually(problem, lambda seen: seen is not None, "the problem with the database")
    status, answer = await console.post("test", {"user": 1})
    assert status == 503 and answer["error"]
    own_cluster.start()
    await bridge.ready(seconds=20)
    assert (await console.post("test", {"user": 1}))[0] == 200
