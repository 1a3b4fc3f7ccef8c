#!/usr/bin/env bash
# The parts, one after the other: run.sh KEPT SCRATCH PROGRAM GROUP PART...
set -euo pipefail

kept=$1 scratch=$2 program=$3 group=$4
shift 4
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/lib/deployments/checks.sh
source "$here/checks.sh"
# shellcheck source=scripts/lib/deployments/podman.sh
source "$here/podman.sh"
ip link set lo up

for part in "$@"; do
  # shellcheck source=scripts/lib/deployments/container.sh
  # shellcheck source=scripts/lib/deployments/compose.sh
  # shellcheck source=scripts/lib/deployments/systemd.sh
  source "$here/$part.sh"
  "deploy_$part" "$kept" "$scratch" "$program" "$group"
done
echo
echo "all of it is as it should be"
