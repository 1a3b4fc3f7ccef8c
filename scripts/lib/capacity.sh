# shellcheck shell=bash
# What each operation costs as the database grows, for `scripts/measure capacity`. To be sourced.
#
# It expects processes.sh and postgres.sh, and the variables `engine`, `sizes` and `rounds`.

# commits FOLDER: the median time of writing and synchronising a page on that disk, in milliseconds.
commits() {
  python3 - "$1" <<'PYTHON'
import os, statistics, sys, time

times = []
file = os.open(os.path.join(sys.argv[1], "commits"), os.O_CREAT | os.O_WRONLY)
for number in range(200):
    os.pwrite(file, os.urandom(4096), number * 4096)
    start = time.perf_counter()
    os.fdatasync(file)
    times.append(time.perf_counter() - start)
print(f"{statistics.median(times) * 1000:.2f}")
PYTHON
}

# middle_of NAME FILE: the median of what curl says, in microseconds; every answer has to be a good one.
middle_of() {
  if awk '$1 < 200 || $1 > 299 { print; bad = 1 } END { exit !bad }' "$2" >&2; then
    say "$1 was refused"
    return 1
  fi
  awk '{ print $2 * 1000000 }' "$2" | sort -g | awk '{ times[NR] = $1 } END { printf "%.0f", times[int((NR + 1) / 2)] }'
}

# ask NAME: sends the requests of standard input one after the other on one connection. A line is METHOD, PATH, KEY and BODY, with
# tabs between. Prints the median time until the answer begins, in microseconds.
ask() {
  awk -F '\t' -v url="$url" -v folder="$scratch/answers" '
    function quoted(text) { gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text); return "\"" text "\"" }
    {
      if (NR > 1) print "next"
      print "request=" quoted($1) "\nurl=" quoted(url $2) "\noutput=" quoted(folder "/" NR)
      print "write-out=\"%{http_code} %{time_starttransfer}\\n\""
      if ($3 != "") print "header=" quoted("X-Agent-API-Key: " $3)
      if ($4 != "") print "header=\"Content-Type: application/json\"\ndata=" quoted($4)
    }' >"$scratch/requests"
  rm -rf "$scratch/answers"
  mkdir "$scratch/answers"
  curl --silent --config "$scratch/requests" >"$scratch/times"
  middle_of "$1" "$scratch/times"
}

# checks FILE: a request for each key in a file.
checks() { awk '{ print "GET\t/api/auth/check\t" $1 "\t" }' "$1"; }

# Of the whole database, in bytes, once all is written out.
database_size() {
  if [[ $engine == postgres ]]; then
    psql -XAtqc "SELECT pg_database_size(current_database())" "$TIGERTRUST__DATABASE__URL"
  else
    stat --format=%s "$scratch/data/tigertrust.db"
  fi
}

resident_kib() { awk '$1 == "VmRSS:" { print $2 }' "/proc/$pid/status"; }

# capacity_of KEYS: a line of the table.
capacity_of() {
  local keys=$1 home admin empty size shown before remembered number
  local make first cached edit page revoke login
  say "$engine: filling a database with $keys keys"
  rm -rf "$scratch/data"
  mkdir "$scratch/data"
  if [[ $engine == postgres ]]; then
    TIGERTRUST__DATABASE__URL=${POSTGRES_URL%/*}/capacity_$keys
    export TIGERTRUST__DATABASE__URL
  fi
  cli secrets create "$scratch/data/keyring.toml" >/dev/null
  cli migrate run >/dev/null
  printf 'correct horse battery staple' >"$scratch/password"
  cli user create capacity@example.com --password-file "$scratch/password" >/dev/null
  home=$(cli --output json workspace create Capacity --owner capacity@example.com | json_field id)
  # The key that stands for all.
  cli key create --name original --workspace "$home" --external-id customer-1 \
    --scope certificates:read,certificates:write,agents:report >/dev/null
  empty=$(database_size)
  shown=$((keys < 20000 ? keys : 20000))
  python3 scripts/lib/fill_keys.py "${TIGERTRUST__DATABASE__URL:-sqlite://$scratch/data/tigertrust.db}" "$scratch/data/keyring.toml" \
    "$keys" "$shown" | shuf --random-source=<(yes) >"$scratch/keys"
  size=$((($(database_size) - empty) / keys))
  admin=$(cli --output json key create --name admin --workspace "$home" --scope 'keys:*,certificates:*,audit:read' | json_field key)

  say "$engine: measuring with $keys keys"
  port=$(free_port)
  url=http://127.0.0.1:$port
  start_server "$port"
  # What every path needs once is not what is measured.
  checks <(head -n 1 "$scratch/keys") | ask "a check" >/dev/null
  # What is there to be filled once, such as the database's own caches, is full after the first half.
  checks <(head -n $((shown / 2)) "$scratch/keys") | ask "a first look-up" >/dev/null
  before=$(resident_kib)
  first=$(checks <(tail -n $((shown / 2)) "$scratch/keys") | ask "a first look-up")
  remembered=$((($(resident_kib) - before) * 1024 * 2 / shown))
  if ((shown < 20000)); then remembered=–; fi
  cached=$(checks "$scratch/keys" | ask "a check")
  make=$(for ((number = 0; number < rounds; number++)); do
    printf 'POST\t/api/keys\t%s\t%s\n' "$admin" '{"name":"made","type":"agent","scopes":["certificates:read"],"externalId":"customer-2"}'
  done | ask "making a key")
  sed 's/.*"id":"\(key_[^"]*\)".*/\1/' "$scratch/answers/"* >"$scratch/made"
  edit=$(awk -v key="$admin" '{ print "PATCH\t/api/keys/" $1 "\t" key "\t{\"name\":\"edited\"}" }' "$scratch/made" | ask "editing a key")
  page=$(for ((number = 0; number < rounds; number++)); do
    printf 'GET\t/api/keys?limit=50\t%s\t\n' "$admin"
  done | ask "a page of keys")
  revoke=$(awk -v key="$admin" '{ print "POST\t/api/keys/" $1 "/revoke\t" key "\t{}" }' "$scratch/made" | ask "revoking a key")
  login=$(for ((number = 0; number < 20; number++)); do
    printf 'POST\t/api/auth/login\t\t%s\n' '{"email":"capacity@example.com","password":"correct horse battery staple"}'
  done | ask "a login")
  stop "$pid"
  echo "| $engine | $keys | $first | $cached | $make | $edit | $revoke | $page | $login | $size | $remembered |"
  if [[ $engine == postgres ]]; then psql -Xqc "DROP DATABASE capacity_$keys" "$POSTGRES_URL"; fi
}

capacity() {
  local keys folder=$scratch
  # So that no limit is what is measured.
  export TIGERTRUST__RATE_LIMIT__PLANS="free=50000000/1m,50000000/1h"
  if [[ $engine == postgres ]]; then
    postgres_start
    folder=$POSTGRES_DIR
    # The other scripts' server forgets at a crash, on purpose: this one commits as one in production does.
    for keys in fsync=on synchronous_commit=on full_page_writes=on max_wal_size=4GB; do
      psql -Xqc "ALTER SYSTEM SET ${keys%=*} = '${keys#*=}'" "$POSTGRES_URL"
    done
    psql -Xqc "SELECT pg_reload_conf()" "$POSTGRES_URL" >/dev/null
  fi
  echo "A page written and synchronised on this disk: $(commits "$folder") ms. $(nproc) cores, load $(cut -d ' ' -f 1 /proc/loadavg)."
  echo
  echo "| engine | keys | first look-up | check | make | edit | revoke | page of 50 | login | bytes a key on disk | bytes a remembered key |"
  echo "|---|---|---|---|---|---|---|---|---|---|---|"
  for keys in "${sizes[@]}"; do capacity_of "$keys"; done
  echo
  echo "Times are medians, in microseconds, until curl has the beginning of an answer: one client, one connection, one request at a time."
}
