# shellcheck shell=bash
# Installs Debian packages for a script that found something missing. To be sourced.

# packages_install NAME...: as root, or through sudo; says what to do where neither helps.
packages_install() {
  local -a as_root=()
  if ! command -v apt-get >/dev/null; then
    echo "This needs software that is not installed, and there is no apt-get to install it with." >&2
    echo "Please install what Debian calls: $*" >&2
    return 1
  fi
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "Some packages are missing, and without sudo they cannot be installed from here." >&2
      echo "As root, please run: apt-get install $*" >&2
      return 1
    fi
    as_root=(sudo)
    # Nobody is there to type a password: better a refusal than a prompt that waits for ever.
    [[ -t 0 ]] || as_root=(sudo -n)
  fi

  echo "Installing $*"
  # One process does all that needs root, so that its own trap undoes what must not stay.
  if ! "${as_root[@]}" bash -c "$(declare -f _packages_install_as_root); _packages_install_as_root \"\$@\"" \
    packages_install "$@" </dev/null; then
    echo "The packages could not be installed. As root, please run: apt-get install $*" >&2
    return 1
  fi
}

# The package of a database server makes a cluster and starts it. Here a package is wanted for its
# programs alone: no service may come up on a developer's machine because a test was run.
_packages_install_as_root() {
  set -euo pipefail
  # Not `local`: the trap reads them after this function is left.
  policy=/usr/sbin/policy-rc.d
  policy_aside=$policy.before-tigertrust
  policy_is_ours=no
  clusters=/etc/postgresql-common/createcluster.d
  no_cluster=$clusters/tigertrust-test.conf

  # Two runs at once would take each other's policy for the machine's own.
  exec 9>/run/tigertrust-packages.lock
  flock 9

  # shellcheck disable=SC2317,SC2329 # called by the trap
  restore() {
    rm -f "$no_cluster"
    rmdir --ignore-fail-on-non-empty "$clusters" 2>/dev/null || true
    if [[ $policy_is_ours == yes ]]; then rm -f "$policy"; fi
    if [[ -e $policy_aside ]]; then mv "$policy_aside" "$policy"; fi
  }
  trap restore EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM

  # One that stands aside already is left from a run that was killed: the present one is not the machine's.
  if [[ -e $policy && ! -e $policy_aside ]]; then mv "$policy" "$policy_aside"; fi
  policy_is_ours=yes
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  mkdir -p "$clusters"
  echo "create_main_cluster = false" >"$no_cluster"

  export DEBIAN_FRONTEND=noninteractive
  apt-get update -q
  apt-get install -q -y --no-install-recommends "$@"
}
