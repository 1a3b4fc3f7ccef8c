"""Fills a scratch database of `scripts/measure capacity` with copies of the one key that is there.

fill_keys.py URL KEYRING KEYS SHOWN: each copy has an id, a secret and, by the thousand, a workspace of its own. Prints the secrets of
SHOWN of them, evenly spread. The server must not run meanwhile. URL is sqlite:///PATH, or of a PostgreSQL that `psql` reaches.
"""

import base64
import hashlib
import hmac
import os
import re
import secrets
import sqlite3
import subprocess
import sys
import time
import uuid
import zlib

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def new_key():
    """A secret as the program makes it: 43 random characters, then the checksum of all before."""
    content = "ak_" + "".join(secrets.choice(DIGITS) for _ in range(43))
    rest, checksum = zlib.crc32(content.encode()), ""
    for _ in range(6):
        rest, digit = divmod(rest, 62)
        checksum = DIGITS[digit] + checksum
    return content + checksum


def new_id(milliseconds):
    """UUIDv7 (RFC 9562)."""
    number = milliseconds << 80 | secrets.randbits(80)
    return uuid.UUID(int=number & ~(0xF << 76) & ~(0b11 << 62) | 7 << 76 | 0b10 << 62)


def fresh(keyring, keys, shown, homes):
    """Rows of what differs from copy to copy."""
    text = re.search(r'\[\[peppers\]\][^\[]*secret = "([^"]+)"', open(keyring).read())
    pepper = base64.urlsafe_b64decode(text.group(1) + "=")
    every = max(1, keys // shown)
    # One a millisecond, up to now.
    start = int(time.time() * 1000) - keys
    for number in range(keys):
        key_id = new_id(start + number)
        if number % every == 0 and number // every < shown:
            key = new_key()
            print(key)
            digest = hmac.digest(pepper, key.encode(), hashlib.sha256)
        else:
            # Nobody will ask for this one.
            digest = os.urandom(32)
        yield number, key_id, digest, homes[number % len(homes)]


# Each column of a copy is the original's but these; the digests go in as their tree is ordered.
COPIES = [
    ("workspaces", {"id": "homes.id"}, "temp_homes AS homes", "homes.id"),
    ("api_keys", {"id": "fresh.id", "home_workspace_id": "fresh.home"}, "temp_fresh AS fresh", "fresh.id"),
    ("api_key_secrets", {"key_id": "fresh.id", "digest": "fresh.digest"}, "temp_fresh AS fresh", "fresh.digest"),
]


def copies(columns_of):
    for table, instead, joined, order in COPIES:
        columns = columns_of(table)
        values = ", ".join(instead.get(column, f"original.{column}") for column in columns)
        yield (
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} "
            f"FROM (SELECT * FROM {table} LIMIT 1) AS original CROSS JOIN {joined} ORDER BY {order}"
        )


def fill_sqlite(path, homes, rows):
    database = sqlite3.connect(path, isolation_level=None)
    database.executescript(
        "PRAGMA synchronous = OFF; PRAGMA cache_size = -200000;"
        "CREATE TEMP TABLE temp_homes (id BLOB NOT NULL);"
        "CREATE TEMP TABLE temp_fresh (number INTEGER PRIMARY KEY, id BLOB, digest BLOB, home BLOB);"
    )
    database.execute("BEGIN")
    database.executemany("INSERT INTO temp_homes VALUES (?)", ((home.bytes,) for home in homes))
    database.executemany(
        "INSERT INTO temp_fresh VALUES (?, ?, ?, ?)",
        ((number, key_id.bytes, digest, home.bytes) for number, key_id, digest, home in rows),
    )
    columns = lambda table: [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    for statement in copies(columns):
        database.execute(statement)
    database.execute("COMMIT")
    database.executescript("PRAGMA wal_checkpoint(TRUNCATE)")


def fill_postgres(url, homes, rows):
    def columns(table):
        query = f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"
        answer = subprocess.run(["psql", "-XAtqc", query, url], check=True, capture_output=True, text=True)
        return answer.stdout.split()

    statements = list(copies(columns))
    psql = subprocess.Popen(["psql", "-Xq", "-v", "ON_ERROR_STOP=1", url], stdin=subprocess.PIPE, text=True)
    say = psql.stdin.write
    say("BEGIN; CREATE TEMP TABLE temp_homes (id uuid); CREATE TEMP TABLE temp_fresh (number bigint, id uuid, digest bytea, home uuid);\n")
    say("COPY temp_homes FROM STDIN;\n")
    for home in homes:
        say(f"{home}\n")
    say("\\.\nCOPY temp_fresh FROM STDIN;\n")
    for number, key_id, digest, home in rows:
        say(f"{number}\t{key_id}\t\\\\x{digest.hex()}\t{home}\n")
    say("\\.\n")
    for statement in statements:
        say(f"{statement};\n")
    say("COMMIT; VACUUM ANALYZE; CHECKPOINT;\n")
    psql.stdin.close()
    if psql.wait():
        sys.exit("psql failed")


def main():
    url, keyring, keys, shown = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    now = int(time.time() * 1000)
    homes = [new_id(now) for _ in range(max(1, keys // 1000))]
    rows = fresh(keyring, keys, shown, homes)
    if url.startswith("sqlite://"):
        fill_sqlite(url.removeprefix("sqlite://"), homes, rows)
    else:
        fill_postgres(url, homes, rows)


main()
