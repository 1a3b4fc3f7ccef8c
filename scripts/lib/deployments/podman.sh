# shellcheck shell=bash
# Podman in a room of its own. To be sourced.

# podman_prepare KEPT SCRATCH GROUP: for this process and those that it starts.
podman_prepare() {
  local kept=$1 scratch=$2
  mkdir -p "$scratch/bin"
  cp scripts/lib/deployments/stand-ins/{docker,podman} "$scratch/bin"
  export PATH=$scratch/bin:$kept/compose/bin:$PATH DEPLOYMENTS_GROUP=/$3
  export CONTAINERS_CONF=$scratch/containers.conf CONTAINERS_REGISTRIES_CONF=$scratch/registries.conf
  # There is no service manager in here that could make groups of processes, or keep a journal.
  cat >"$CONTAINERS_CONF" <<'FILE'
[containers]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "crun"
[network]
network_backend = "netavark"
FILE
  cat >"$CONTAINERS_REGISTRIES_CONF" <<'FILE'
unqualified-search-registries = ["docker.io"]
short-name-mode = "permissive"
FILE
}

# seconds_of COMMAND...: how long it takes, in whole seconds.
seconds_of() {
  local start=$SECONDS
  "$@" >/dev/null
  echo $((SECONDS - start))
}

# health CONTAINER: asks once, as an engine does by the clock.
health() { timeout 20 podman healthcheck run "$1"; }
