# shellcheck shell=bash
# One container on SQLite, as docs/src/operations/installing.md says. To be sourced.

# container_first_key: a workspace for the person that the page makes, and a key of it, in KEY.
container_first_key() {
  docker exec "$1" tigertrust workspace create Acme --owner you@example.com >/dev/null
  KEY=$(docker exec "$1" tigertrust --output json key create --name first --scope 'keys:*,workspace:read' | jq -r .key)
  [[ $KEY == ak_* ]]
}

# container_is_shut_in CONTAINER: what holds for the server is read off the kernel, not off what the engine was asked for.
container_is_shut_in() {
  local status
  status=$(docker exec "$1" cat /proc/1/status)
  contains "$(tr '\t' ' ' <<<"$status")" "Uid: 10001 10001 10001 10001" "Gid: 10001 10001 10001 10001" \
    "CapPrm: 0000000000000000" "CapEff: 0000000000000000" "CapBnd: 0000000000000000" "NoNewPrivs: 1" "Seccomp: 2"
}

# container_is_unhealthy CONTAINER: asks, and tells what comes of all answers till now.
container_is_unhealthy() {
  health "$1" || true
  [[ $(docker inspect --format '{{.State.Health.Status}}' "$1") == unhealthy ]]
}

deploy_container() {
  local kept=$1 scratch=$2 KEY secret text lasted
  podman_prepare "$kept" "$scratch" "$4"
  heading "Container"
  local url=http://127.0.0.1:8080

  check "the server starts with the commands of the page" bash -euc "$(page_block 'docker volume create' | sed '/user create/d')"
  check "it says that it is healthy" within 30 health tigertrust
  check "it is ready, through the port of this machine" within 30 status_is 200 "$url/readyz"
  text=$(bash -euc "$(page_block 'docker volume create' | grep 'user create')")
  check "the page makes a first person" contains "$text" you@example.com
  container_first_key tigertrust
  check "and commands in it a key" test -n "$KEY"
  check "the key is let in" status_is 200 "$url/api/auth/me" --header "X-Agent-API-Key: $KEY"
  check "and no other" status_is 401 "$url/api/auth/me" --header "X-Agent-API-Key: ${KEY%?}x"

  check "it is nobody special, and can become nobody else" container_is_shut_in tigertrust
  check "it cannot write beside its data" refused docker exec tigertrust bash -c 'echo >/usr/bin/x || echo >/etc/x || echo >/tmp/x || echo >/x'
  check "its data is its own alone" test "$(docker exec tigertrust stat --format='%a %u' /var/lib/tigertrust /var/lib/tigertrust/keyring.toml)" = $'700 10001\n600 10001'

  docker kill --signal=STOP tigertrust >/dev/null
  # In its first half minute it may be as it likes.
  check "a server that hangs is unhealthy" within 60 container_is_unhealthy tigertrust
  docker kill --signal=CONT tigertrust >/dev/null
  check "and healthy when it goes on" within 20 health tigertrust

  lasted=$(seconds_of docker stop --time 30 tigertrust)
  check "SIGTERM ends it in time ($lasted s)" test "$lasted" -lt 9
  check "with status 0" test "$(docker inspect --format '{{.State.ExitCode}}' tigertrust)" = 0
  secret=$(docker run --rm --volume tigertrust:/var/lib/tigertrust --entrypoint sed tigertrust -n 's/^secret *= *"\(.*\)"/\1/p' /var/lib/tigertrust/keyring.toml)
  mapfile -t secret <<<"$secret"
  check "its log has neither key nor secrets" without "$(docker logs tigertrust 2>&1)" "$KEY" "${secret[@]}"
  docker rm tigertrust >/dev/null

  # An upgrade, with the ring in a secret of its own.
  docker run --rm --volume tigertrust:/var/lib/tigertrust --entrypoint cat tigertrust /var/lib/tigertrust/keyring.toml >"$scratch/keyring"
  docker run --rm --volume tigertrust:/var/lib/tigertrust --entrypoint rm tigertrust /var/lib/tigertrust/keyring.toml
  docker secret create keyring "$scratch/keyring" >/dev/null
  docker run --detach --name tigertrust --read-only --cap-drop ALL --security-opt no-new-privileges \
    --volume tigertrust:/var/lib/tigertrust --publish 127.0.0.1:8080:8080 \
    --secret keyring,uid=10001,mode=0400 --env TIGERTRUST__KEYRING_FILE=/run/secrets/keyring \
    tigertrust:next serve --migrate >/dev/null
  check "another image goes on with the volume, the ring being a secret" within 30 status_is 200 "$url/api/auth/me" --header "X-Agent-API-Key: $KEY"
  check "what the engine tells of it has no secret" without "$(docker inspect tigertrust)" "$KEY" "${secret[@]}"
  docker stop --time 30 tigertrust >/dev/null
  docker rm tigertrust >/dev/null
}
