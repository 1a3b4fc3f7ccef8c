#!/usr/bin/env bash
# The first process of namespaces of its own, in which scripts/deployments runs what it is called with:
# room.sh KEPT SCRATCH PROGRAM GROUP PART...
set -euo pipefail

kept=$1 scratch=$2 program=$3 group=$4
shift 4
here=$(dirname "${BASH_SOURCE[0]}")

# What podman leaves behind, where it would otherwise leave it on this machine.
cp -L /etc/resolv.conf "$scratch/resolv.conf" 2>/dev/null || true
resolver=$(realpath -m /etc/resolv.conf)
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
[[ -e $resolver ]] || install -D -m 0644 "$scratch/resolv.conf" "$resolver"
mkdir -p "$scratch/containers" /var/lib/containers
mount --bind "$scratch/containers" /var/lib/containers

# Where both versions of control groups are mounted, crun knows neither.
if [[ -d /sys/fs/cgroup/unified ]]; then umount /sys/fs/cgroup/unified; fi

# The images are built with the network of this machine, for the packages that a build installs.
for part in "$@"; do
  if [[ $part != systemd ]]; then
    bash "$here/images.sh" "$kept" "$scratch" "$program" "$group" "$@"
    break
  fi
done
# All that follows has a network that leads nowhere.
exec unshare --net -- bash "$here/run.sh" "$kept" "$scratch" "$program" "$group" "$@"
