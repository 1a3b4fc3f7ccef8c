# shellcheck shell=bash
# Servers of one's own for measurements, in a scratch folder that goes away with them. To be sourced.
#
# It expects `programs`, the folder of the programs that were built, and `scratch`, a temporary folder once there is one;
# `started` holds the processes to end.

scratch=
declare -a started=()

processes_clean_up() {
  local pid
  for pid in "${started[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  started=()
  if [[ -n $scratch ]]; then rm -rf "$scratch"; fi
}
trap processes_clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

has() { command -v "$1" >/dev/null; }

say() { echo "$*" >&2; }

# cli ARGUMENT...: a command on the scratch database.
cli() { "$programs/tigertrust" --data "$scratch/data" "$@"; }

# json_field NAME: the text of a field of the JSON object on standard input.
json_field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }

# Below the ports that the kernel takes for outgoing connections.
free_port() { echo $((20000 + RANDOM % 12000)); }

# wait_for PORT PATH: until it answers 200.
wait_for() {
  local port=$1 path=$2 status tries
  for ((tries = 0; tries < 20000; tries++)); do
    if { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; then
      printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' "$path" >&3
      read -r _ status _ <&3 || status=
      exec 3>&-
      # A bare handler knows one path alone: any answer will do.
      if [[ $status == 200 || $path == / && -n $status ]]; then return 0; fi
    fi
    sleep 0.001
  done
  echo "port $port does not answer" >&2
  return 1
}

# start PORT PATH COMMAND...: starts a server, sets `pid`, and waits for it.
start() {
  local port=$1 path=$2
  shift 2
  "$@" >>"$scratch/log" 2>&1 &
  pid=$!
  started+=("$pid")
  wait_for "$port" "$path" || {
    cat "$scratch/log" >&2
    return 1
  }
}

# start_server PORT [COMMAND...]: the server, through the command if there is one.
start_server() {
  local port=$1
  shift
  start "$port" /readyz "$@" "$programs/tigertrust" --data "$scratch/data" serve --listen "127.0.0.1:$port"
}

# stop PID
stop() {
  local pid=$1 other
  local -a left=()
  kill "$pid"
  wait "$pid" 2>/dev/null || true
  for other in "${started[@]}"; do
    if [[ $other != "$pid" ]]; then left+=("$other"); fi
  done
  started=("${left[@]}")
}
