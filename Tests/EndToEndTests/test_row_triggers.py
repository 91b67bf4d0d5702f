"""The trigger for changed rows: `check` notices where it is missing or does not fire."""

from __future__ import annotations

from harness.bridge import Done, run
from harness.database import Database
from harness.tokens import SECRET

NAME = "public.note"


async def attach(database: Database, name: str = NAME) -> Done:
    return await run("attach", name, "--yes", DATABASE_URL=database.url)


async def test_check_names_a_table_whose_changed_rows_go_unnoticed_and_how_to_repair_it(database: Database) -> None:
    await database.execute(f"CREATE TABLE {NAME} (id bigserial PRIMARY KEY, user_id bigint, data jsonb)")
    assert (await attach(database)).status == 0

    async def triggers() -> list[str]:
        done = await run("check", DATABASE_URL=database.url, NOTIFY_BRIDGE_AUTH_JWT_SECRET=SECRET)
        assert done.status == 0, done
        return [line for line in done.stdout.splitlines() if line.startswith("warn  triggers")]

    async def repair(line: str) -> None:
        statement = line.rpartition("As its owner: ")[2]
        if statement.startswith("notify-bridge attach "):
            assert (await attach(database, statement.split()[-1])).status == 0
        else:
            await database.execute(statement)

    assert await triggers() == []
    for breaking in ("ALTER TABLE {} DISABLE TRIGGER {}", "ALTER TABLE {} ENABLE REPLICA TRIGGER {}", "DROP TRIGGER {1} ON {0}"):
        for table in ("public.notification", NAME):
            await database.execute(breaking.format(table, "notify_bridge_renew"))
        found = await triggers()
        assert len(found) == 2 and len({line.split(" is ")[0] for line in found}) == 2, found
        for line in found:
            await repair(line)
        assert await triggers() == []
    # What attaching repairs by itself.
    await database.execute(f"ALTER TABLE {NAME} DISABLE TRIGGER notify_bridge_renew")
    assert (await attach(database)).status == 0
    assert await triggers() == []
