# shellcheck shell=bash
# The compose file: TigerTrust with PostgreSQL and Valkey, as docs/src/operations/installing.md says. To be sourced.

composed() { docker compose --file deploy/compose/compose.yaml "$@"; }

# compose_container SERVICE: what it is called.
compose_container() { podman ps --all --filter "label=com.docker.compose.service=$1" --format '{{.Names}}' | head -n 1; }

# compose_up: PostgreSQL and Valkey first, and then the schema. The file says so by itself; but the engine here has no clock to ask
# for the health of what it has started.
compose_up() {
  composed up --detach postgres valkey
  within 60 health "$(compose_container postgres)"
  within 60 health "$(compose_container valkey)"
  composed up --detach --no-deps migrate
  [[ $(podman wait "$(compose_container migrate)") == 0 ]] || { podman logs "$(compose_container migrate)" && return 1; }
  composed up --detach --no-deps tigertrust
}

# compose_is_shut_in SERVICE
compose_is_shut_in() {
  local status
  status=$(podman exec "$(compose_container "$1")" cat /proc/1/status | tr '\t' ' ')
  contains "$status" "CapEff: 0000000000000000" "CapBnd: 0000000000000000" "NoNewPrivs: 1" "Seccomp: 2"
  refused grep -q "^Uid: 0 " <<<"$status"
  refused podman exec "$(compose_container "$1")" bash -c 'echo >/etc/x || echo >/usr/x'
}

# compose_has_no_way_out SERVICE: no route but to its own network.
compose_has_no_way_out() { refused podman exec "$(compose_container "$1")" grep -qP '^\S+\t00000000\t' /proc/net/route; }

# compose_asks_for_the_password: of Valkey, without one.
compose_asks_for_the_password() {
  contains "$(podman exec "$(compose_container valkey)" bash -c 'exec 3<>/dev/tcp/127.0.0.1/6379 && printf "PING\r\n" >&3 && read -r said <&3 && echo "$said"')" NOAUTH
}

deploy_compose() {
  local kept=$1 scratch=$2 key before text url=http://127.0.0.1:8080
  podman_prepare "$kept" "$scratch" "$4"
  heading "Compose"
  # Secrets of somebody's own may lie in the folder of the repository.
  mkdir -p "$scratch/tree/deploy"
  cp -r deploy/compose "$scratch/tree/deploy/compose"
  rm -rf "$scratch/tree/deploy/compose/secrets"
  cp -r docs "$scratch/tree/docs"
  cd "$scratch/tree" || exit

  check "make-secrets makes them, with the image" ./deploy/compose/make-secrets
  check "in a folder that is shut to others" test "$(stat --format=%a deploy/compose/secrets)" = 700
  before=$(cat deploy/compose/secrets/*)
  check "and leaves alone those that are there" ./deploy/compose/make-secrets
  check "each as it was" test "$(cat deploy/compose/secrets/*)" = "$before"

  check "all of it starts: database and store are healthy, the schema is made, the server runs" compose_up
  check "the server is ready, through the port of this machine" within 30 status_is 200 "$url/readyz"
  check "and healthy" within 20 health "$(compose_container tigertrust)"
  text=$(bash -euc "$(page_block './deploy/compose/make-secrets' | grep 'user create' | sed 's/exec tigertrust/exec -T tigertrust/')")
  check "the page makes a first person" contains "$text" you@example.com
  composed exec -T tigertrust tigertrust workspace create Acme --owner you@example.com >/dev/null
  key=$(composed exec -T tigertrust tigertrust --output json key create --name first --scope 'keys:*' | jq -r .key)
  check "a key is let in" status_is 200 "$url/api/auth/me" --header "X-Agent-API-Key: $key"
  # It finds the ring open to others, which inside of the folder it is not: the page says so.
  text=$(composed exec -T tigertrust tigertrust doctor 2>&1 || true)
  check "doctor reaches database and store" contains "$text" "schema: is the one that this program knows" "the store of rate limits answers"

  for service in tigertrust postgres valkey; do
    check "$service is nobody special, and cannot write where it should not" compose_is_shut_in "$service"
  done
  check "PostgreSQL has no way out" compose_has_no_way_out postgres
  check "Valkey has no way out" compose_has_no_way_out valkey
  check "and asks for its password" compose_asks_for_the_password

  check "the server is started anew" composed restart tigertrust
  check "the key is let in as before" within 30 status_is 200 "$url/api/auth/me" --header "X-Agent-API-Key: $key"

  check "PostgreSQL is stopped" composed stop postgres
  check "the server is not ready then" within 20 status_is 503 "$url/readyz"
  check "nor lets the key in" within 20 status_is 503 "$url/api/auth/me" --header "X-Agent-API-Key: $key"
  check "but lives" health "$(compose_container tigertrust)"
  check "PostgreSQL is back" composed start postgres
  check "the server is ready without being started anew" within 30 status_is 200 "$url/readyz"
  check "and lets the key in" within 10 status_is 200 "$url/api/auth/me" --header "X-Agent-API-Key: $key"

  check "Valkey is stopped" composed stop valkey
  check "the key is let in without it" within 10 status_is 200 "$url/api/auth/me" --header "X-Agent-API-Key: $key"
  check "Valkey is back" composed start valkey

  mapfile -t before < <(sed -n 's/^secret *= *"\(.*\)"/\1/p' deploy/compose/secrets/keyring; cat deploy/compose/secrets/postgres_password; echo
    sed -n 's/^requirepass //p' deploy/compose/secrets/valkey_conf)
  text=
  for service in tigertrust migrate postgres valkey; do text+=$(podman logs "$(compose_container "$service")" 2>&1; podman inspect "$(compose_container "$service")"); done
  check "neither logs nor the engine's records have key or secrets" without "$text" "$key" "${before[@]}"

  check "all of it goes" composed down
  check "and comes back" compose_up
  check "with its data" within 30 status_is 200 "$url/api/auth/me" --header "X-Agent-API-Key: $key"
  composed down --volumes >/dev/null 2>&1
  cd "$OLDPWD" || exit
}
