# shellcheck shell=bash
# A throwaway PostgreSQL server of one's own, on a free loopback port. To be sourced.
#
#   trap postgres_stop EXIT
#   postgres_start          # sets POSTGRES_URL, and POSTGRES_CA: the authority by which clients know it
#   psql "$POSTGRES_URL"

# shellcheck disable=SC2034 # read by the script that sources this
POSTGRES_URL=
# shellcheck disable=SC2034 # read by the script that sources this
POSTGRES_CA=
POSTGRES_DIR=

# postgres_find: prints the directory of the server's programs; fails where there is none.
# pg_config alone does not tell: it also comes with the client's headers.
postgres_find() {
  local candidate
  local -a candidates
  mapfile -t candidates < <(
    pg_config --bindir 2>/dev/null
    printf '%s\n' /usr/lib/postgresql/*/bin | sort --version-sort --reverse
    command -v initdb | xargs --no-run-if-empty dirname
  )
  for candidate in "${candidates[@]}"; do
    if [[ -x $candidate/initdb && -x $candidate/pg_ctl && -x $candidate/postgres ]]; then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}

# postgres_start: makes a cluster and starts it. postgres_stop takes both away, also after a failure.
postgres_start() {
  local programs
  if ! programs=$(postgres_find); then
    echo "There is no PostgreSQL server on this machine (Debian: apt-get install postgresql)." >&2
    return 1
  fi

  # Not under TMPDIR: a socket's path has room for about a hundred characters, and the account that
  # PostgreSQL runs under must be able to get there.
  POSTGRES_DIR=$(mktemp -d /tmp/tigertrust-postgres.XXXXXX) || return 1
  if ((EUID == 0)); then chown "$(_postgres_account):" "$POSTGRES_DIR" || return 1; fi

  if ! _postgres_run "$programs/initdb" --pgdata="$POSTGRES_DIR/data" --username=postgres --auth=trust \
    --encoding=UTF8 --locale=C --nosync >"$POSTGRES_DIR/initdb.log" 2>&1; then
    cat "$POSTGRES_DIR/initdb.log" >&2
    return 1
  fi
  _postgres_configure || return 1
  _postgres_encrypt || return 1
  _postgres_start_on_free_port "$programs/pg_ctl"
}

# postgres_stop: ends the server and removes its files. May be called at any time, and twice.
postgres_stop() {
  local pid pid_file tenths
  [[ -n $POSTGRES_DIR ]] || return 0
  pid_file=$POSTGRES_DIR/data/postmaster.pid

  if [[ -s $pid_file ]]; then
    pid=$(head -n 1 "$pid_file" || true)
    # QUIT is the immediate shutdown: nothing here is worth a checkpoint.
    kill -s QUIT "$pid" 2>/dev/null || true
    # The file goes last. It is watched beside the process, for a dead process keeps its number
    # until somebody reaps it, and the first process of a container may not.
    for ((tenths = 0; tenths < 100; tenths++)); do
      if [[ ! -e $pid_file ]] || ! kill -0 "$pid" 2>/dev/null; then break; fi
      sleep 0.1
    done
    if [[ -e $pid_file ]]; then kill -s KILL "$pid" 2>/dev/null || true; fi
  fi
  rm -rf "$POSTGRES_DIR"
  POSTGRES_DIR=
  POSTGRES_URL=
  POSTGRES_CA=
}

# PostgreSQL refuses to run as root.
_postgres_account() {
  if getent passwd postgres >/dev/null; then echo postgres; else echo nobody; fi
}

# Runs a command as the owner of the cluster, in a directory which that owner can enter. The locale
# decides the language of messages, and one of them is read below.
_postgres_run() (
  cd "$POSTGRES_DIR" || exit 1
  export LC_ALL=C
  if ((EUID == 0)); then
    exec runuser -u "$(_postgres_account)" -- "$@"
  else
    exec "$@"
  fi
)

_postgres_configure() {
  # What a crash would lose is lost on purpose. Every test has a database, and a pool, of its own.
  cat >>"$POSTGRES_DIR/data/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$POSTGRES_DIR'
max_connections = 300
fsync = off
synchronous_commit = off
full_page_writes = off
timezone = 'UTC'
log_timezone = 'UTC'
CONF
  # Nobody but this machine, and nothing but TCP, so that every client takes the same way in.
  echo "host all all 127.0.0.1/32 trust" >"$POSTGRES_DIR/data/pg_hba.conf"
}

# Clients may come by TLS: the server has a certificate for its address, of an authority of its own.
_postgres_encrypt() {
  local folder=$POSTGRES_DIR/tls
  local -a key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
  _postgres_run mkdir "$folder" || return 1
  echo "subjectAltName = IP:127.0.0.1" >"$POSTGRES_DIR/names"
  if ! _postgres_run openssl req -x509 "${key[@]}" -days 2 -subj "/CN=Authority of the tests" \
    -keyout "$folder/authority.key" -out "$folder/authority.pem" 2>"$POSTGRES_DIR/tls.log" \
    || ! _postgres_run openssl req -new "${key[@]}" -subj "/CN=PostgreSQL" \
      -keyout "$folder/server.key" -out "$folder/server.csr" 2>>"$POSTGRES_DIR/tls.log" \
    || ! _postgres_run openssl x509 -req -in "$folder/server.csr" -days 2 -extfile "$POSTGRES_DIR/names" \
      -CA "$folder/authority.pem" -CAkey "$folder/authority.key" -CAcreateserial \
      -out "$folder/server.pem" 2>>"$POSTGRES_DIR/tls.log"; then
    cat "$POSTGRES_DIR/tls.log" >&2
    return 1
  fi
  cat >>"$POSTGRES_DIR/data/postgresql.conf" <<CONF
ssl = on
ssl_cert_file = '$folder/server.pem'
ssl_key_file = '$folder/server.key'
CONF
  POSTGRES_CA=$folder/authority.pem
}

# Whether a port is free is known only once it is bound, so a taken one is met by trying the next.
# The range lies below the one from which the kernel takes the ports of outgoing connections.
_postgres_start_on_free_port() {
  local pg_ctl=$1 log=$POSTGRES_DIR/server.log attempt port
  for ((attempt = 1; attempt <= 20; attempt++)); do
    port=$((20000 + RANDOM % 12000))
    rm -f "$log"
    if _postgres_run "$pg_ctl" start --silent --wait --timeout=60 --pgdata="$POSTGRES_DIR/data" \
      --log="$log" --options="-p $port" >/dev/null 2>&1; then
      POSTGRES_URL=postgres://postgres@127.0.0.1:$port/postgres
      return 0
    fi
    grep -q "could not create any TCP/IP sockets" "$log" || break
  done
  echo "PostgreSQL did not start. Its log:" >&2
  cat "$log" >&2
  return 1
}
