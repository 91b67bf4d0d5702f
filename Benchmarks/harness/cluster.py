"""A private PostgreSQL for one run, by Tests/Support/private_cluster.sh, and statements on it by psql."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_SCRIPT = """
source Tests/Support/private_cluster.sh
trap private_cluster_remove EXIT
private_cluster_start || exit 1
echo "$PRIVATE_CLUSTER_URL"
read -r _
"""

# Every measurement begins with the same table: rows that were sent before, as an application has them, and the
# statistics that autovacuum would have made. Without any, the planner believes that a third of the table is new.
_FRESH_TABLE = """
SELECT notify_bridge.remove_dead_replicas(0);
TRUNCATE public.notification RESTART IDENTITY;
INSERT INTO public.notification (user_id, data, is_sent, sent_at)
  SELECT 1 + i % 1000, jsonb_build_object('n', 0, 't', 0, 'u', 1 + i % 1000), true, now()
  FROM generate_series(1, 20000) AS i;
VACUUM ANALYZE public.notification;
CHECKPOINT;
"""


class Cluster:
    """Started at once; `close` removes it."""

    def __init__(self) -> None:
        # In a session of its own: a signal to the whole run must not end it before it has removed the cluster.
        # It ends when its standard input does, whatever ended this process.
        self._process = subprocess.Popen(
            ["bash", "-c", _SCRIPT], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True)
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError("the private PostgreSQL did not start")

    def sql(self, text: str) -> str:
        """Runs SQL and returns what it prints, unaligned."""
        return subprocess.run(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.url], input=text, check=True, capture_output=True,
            text=True).stdout.strip()

    def install_floor(self) -> None:
        self.sql((ROOT / "Benchmarks/floor.sql").read_text())

    def fresh_table(self) -> None:
        self.sql(_FRESH_TABLE)

    def add_sent_rows(self, have: int, want: int) -> None:
        """Sent rows of the last 29 days, of many transactions, until the table has so many."""
        self.sql(f"""
            SELECT notify_bridge.remove_dead_replicas(0);
            INSERT INTO public.notification (user_id, data, is_sent, sent_at, created_at, txid)
              SELECT 1 + i % 1000, jsonb_build_object('n', 0, 't', 0, 'u', 1 + i % 1000), true, at, at,
                (3 + i * 700 / {want})::text::xid8
              FROM (SELECT i, now() - interval '29 days' * (1 - i / {want}.0) AS at
                FROM generate_series({have}::bigint + 1, {want}) AS i) AS s;
            VACUUM ANALYZE public.notification;
            CHECKPOINT;""")

    @contextmanager
    def no_trigger(self) -> Iterator[None]:
        """Our trigger does not ring meanwhile."""
        self.sql("ALTER TABLE public.notification DISABLE TRIGGER notify_bridge_ring")
        try:
            yield
        finally:
            self.sql("ALTER TABLE public.notification ENABLE ALWAYS TRIGGER notify_bridge_ring")

    @contextmanager
    def empty_trigger(self) -> Iterator[None]:
        """A trigger that does nothing stands in the place of ours meanwhile."""
        with self.no_trigger():
            self.sql("""
                CREATE FUNCTION public.benchmark_nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                CREATE TRIGGER benchmark_nothing AFTER INSERT ON public.notification
                  FOR EACH STATEMENT EXECUTE FUNCTION public.benchmark_nothing();""")
            try:
                yield
            finally:
                self.sql("DROP FUNCTION public.benchmark_nothing() CASCADE")

    def armed_replicas(self) -> int:
        return int(self.sql("SELECT count(*) FROM notify_bridge.replica WHERE armed"))

    def wrong_rows(self, rows: int) -> int:
        """How many of the run's rows are missing or not marked sent."""
        marked = int(self.sql(
            "SELECT count(*) FROM public.notification WHERE is_sent AND sent_at IS NOT NULL")) - 20000
        return rows - marked

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=90)
