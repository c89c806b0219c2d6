"""Imports a database of the original of many rows; called by bench/import.sh."""

import json
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import result  # noqa: E402

FIXTURE = result.ROOT / "crates/bosa-auth/tests/fixtures/original-0.9.7"

# Rows like those of the fixture: their values open, and their hashes are hashes.
MORE = """
insert into public.users
    select md5('user' || n)::uuid, 'user-' || n, u.secret, u.secret_preview, true, u.client_id
    from generate_series(1, {users}) n, public.users u where u.identifier = 'bob';
insert into public.tokens
    select md5('token' || n)::uuid, u.id, u.client_id, false, 2145916811
    from generate_series(1, 5 * {users}) n
    join public.users u on u.id = md5('user' || 1 + (n - 1) / 5)::uuid;
insert into public.third_party_integration_auths
    select md5('account' || n)::uuid, u.id, u.client_id, 'github', 'account-' || n, i.auth_string,
    i.auth_scopes, true, i.created_at, false
    from generate_series(1, {users}) n join public.users u on u.id = md5('user' || n)::uuid,
    public.third_party_integration_auths i where i.user_identifier = 'bob-gh';
analyze;
"""


def psql(server, *commands):
    options = [option for command in commands for option in ("-c", command)]
    subprocess.run(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", *options, server], check=True)


def run(program, environment, directory):
    """Seconds until the first words, seconds in all, the most memory in MiB, and the report."""
    began = time.monotonic()
    with open(directory / "report", "w+", encoding="utf-8") as report:
        process = subprocess.Popen(
            [program, "import", "bosa", "--output", "json"],
            env=environment, cwd=directory, stdout=report, stderr=subprocess.PIPE, text=True,
        )
        process.stderr.readline()
        first = time.monotonic() - began
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        whole = time.monotonic() - began
        if status != 0:
            sys.exit(said)
        report.seek(0)
        return first, whole, usage.ru_maxrss / 1024, json.load(report)


def main():
    program, directory, server = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
    users = int(sys.argv[4])
    place = server.rsplit("/", 1)[0]
    psql(server, "create database original template template0", "create database target template template0")
    source = f"{place}/original"
    subprocess.run(
        ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, "-f", str(FIXTURE / "dump_inserts.sql"), source],
        check=True,
    )
    psql(source, MORE.format(users=users))
    known = json.loads((FIXTURE / "known.json").read_text(encoding="utf-8"))
    settings = {
        "PATH": os.environ["PATH"],
        "BOSA_AUTH_IMPORT_FROM": source,
        "AUTH_SECRET_KEY": known["settings"]["auth_secret_key"],
        **{name: known["env"][name] for name in ("BOSA_AUTH_ENCRYPTION_PASSWORD", "BOSA_AUTH_ENCRYPTION_SALT")},
    }
    targets = {
        "SQLite": f"sqlite:///{directory}/auth.db",
        "PostgreSQL": f"{place}/target",
    }
    rows = []
    for target, url in targets.items():
        environment = {
            **settings,
            "DATABASE_AUTHENTICATION_URL": url,
            "BOSA_AUTH_ROOT_KEYS": "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "BOSA_WHITELISTED_KEYS": "a-master-key-for-tests-of-32-characters-or-more",
        }
        for subject in ("everything is new", "everything is there"):
            first, whole, memory, report = run(program, environment, directory)
            read = sum(kind["read"] for kind in report["kinds"])
            group = f"{target}, {read:,} rows"
            for metric, unit, value in (
                ("whole", "s", whole),
                ("rate", "rows/s", read / whole),
                ("first words", "s", first),
                ("memory at the most", "MiB", memory),
            ):
                rows.append({"group": group, "subject": subject, "metric": metric, "unit": unit,
                             "value": round(value, 2), "samples": 1})
    note = (f"{users:,} users of one client, five tokens and one integration each. Source and target are in the "
            "same machine; PostgreSQL without fsync, SQLite synchronous full. Memory is the resident size of "
            "the importing process at its highest.")
    result.write("import", rows, note=note)


main()
