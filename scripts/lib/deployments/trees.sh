# shellcheck shell=bash
# Trees of Debian, out of which images and a machine are made that deploy/ names or is for. To be sourced.

# The release that deploy/container/Dockerfile is built on.
TREES_RELEASE=bookworm

# trees_packages NAME: what is in it beside what every Debian has.
trees_packages() {
  case $1 in
    # The compiler's image, which is made of it, has xz.
    base) echo bash,xz-utils ;;
    postgres) echo postgresql-15 ;;
    # Valkey is in no release before Debian 13; what is asked of it here, Redis answers alike.
    valkey) echo redis-server ;;
    machine) echo systemd,systemd-sysv,dbus,adduser,procps,curl ;;
  esac
}

# trees_make DIRECTORY NAME: DIRECTORY/NAME.tar, made when it is not there.
trees_make() {
  local directory=$1 name=$2
  if [[ -e $directory/$name.tar ]]; then return; fi
  echo "Making a tree of Debian: $name"
  # No service starts in it, no cluster is made, and what an image has no use for is left out.
  # shellcheck disable=SC2016 # the tree that mmdebstrap is at
  mmdebstrap --logfile="$directory/$name.log" --variant=minbase --include="$(trees_packages "$name")" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --essential-hook='mkdir -p "$1/etc/postgresql-common/createcluster.d" && echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.d/none.conf"' \
    "$TREES_RELEASE" "$directory/.$name.tar" || { cat "$directory/$name.log" >&2 && return 1; }
  mv "$directory/.$name.tar" "$directory/$name.tar"
}
