"""Jobs from PostgreSQL to PostgreSQL: two columns tokenized, beside the same job that only copies.

Every run is the real command line in a process of its own. The server's work is no part of its CPU
seconds, but of its wall time, which is what counts here: both jobs wait for the same server.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks import job

URL = "BENCHMARKDATABASEURL"
_POLICIES = {
    "copy": "{columns: {card: {action: keep}}, unlisted: keep}",
    "tokenize": "{columns: {card: {scheme: digits, key: payments},"
    " customer: {scheme: digits, key: payments}}, unlisted: keep}",
}
_JOB = """\
source: {{connector: postgresql, url: "${{{url}}}", table: source_{rows}}}
policy: {policy}
sink: {{connector: postgresql, url: "${{{url}}}", table: {kind}_{rows}}}
options: {{overwrite: true}}
"""
# Every digit is somewhere, and no two cards are the same.
_SOURCE = """
CREATE TABLE source_{rows} AS SELECT number::bigint AS id,
    lpad(((number::bigint * 7919) % 10000000019)::text, 16, '4') AS card,
    lpad(((number::bigint * 104729) % 100003)::text || number::text, 12, '7') AS customer,
    (number % 1000000 / 100.0)::numeric(12, 2) AS amount,
    timestamptz '2026-01-01' + number * interval '1 second' AS paid_at
FROM generate_series(1, {rows}) AS number
"""
_WRONG = """
SELECT count(*) FROM source_{rows} s FULL JOIN tokenize_{rows} t USING (id)
WHERE (s.card = t.card OR s.amount <> t.amount OR length(s.card) <> length(t.card)) IS NOT FALSE
"""


def results(rows: int, repeats: int = 3) -> tuple[list[str], list[list[str]]]:
    """Run both kinds of job in turns, over a fifth of the rows and over all."""
    from tokenkit.testing.postgresql import PostgresServer

    lines = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, PostgresServer() as server:
        place = Path(folder)
        os.environ[job.PASSPHRASE] = os.urandom(16).hex()
        os.environ |= {
            "TOKENKIT_KEYRING": str(place / "keyring.json"),
            "TOKENKIT_KEK": f"passphrase:env:{job.PASSPHRASE}",
            "TOKENKIT_DATABASE_URL": f"sqlite:///{place.absolute()}/tokenkit.db",
            "XDG_DATA_HOME": str(place / "data"),
            URL: server.url(),
        }
        job.here(__spec__.name, folder)
        for count in (rows // 5, rows):
            server.execute(_SOURCE.format(rows=count))
            server.execute(f"VACUUM ANALYZE source_{count}")
            found = _measured(place, count, repeats)
            [(wrong,)] = server.execute(_WRONG.format(rows=count))
            if wrong:
                raise SystemExit(f"{wrong:,} rows are wrong")
            copy = found["copy"][0]
            lines += [
                [kind, f"{count:,}", f"{wall:.2f}", f"{cpu:.2f}", f"{wall / copy:.2f}", peak]
                for kind, (wall, cpu, peak) in found.items()
            ]
    return ["", "rows", "wall s", "CPU s", "x copy, wall", "peak MB"], lines


def _measured(place: Path, rows: int, repeats: int) -> dict[str, tuple[float, float, str]]:
    runs: dict[str, list[tuple[float, float, int]]] = {kind: [] for kind in _POLICIES}
    for _ in range(repeats):
        for kind, policy in _POLICIES.items():
            path = place / f"{kind}_{rows}.yaml"
            text = _JOB.format(url=URL, rows=rows, kind=kind, policy=policy)
            path.write_text(text, encoding="utf-8")
            command = [sys.executable, "-m", "tokenkit.cli.app", "run", str(path)]
            runs[kind].append(job.timed(command))
    return {
        kind: (
            statistics.median(wall for wall, _, _ in found),
            statistics.median(cpu for _, cpu, _ in found),
            f"{max(peak for _, _, peak in found) / 1e6:,.0f}",
        )
        for kind, found in runs.items()
    }


def main() -> None:
    """Make a keyring that opens at once, so that scrypt isn't measured."""
    from tokenkit.keys import create_keyring
    from tokenkit.keys.providers.passphrase import PassphraseProvider

    provider = PassphraseProvider(f"env:{job.PASSPHRASE}", cost=2**10)
    create_keyring(Path(sys.argv[1]) / "keyring.json", ["payments"], provider).close()


if __name__ == "__main__":
    main()
