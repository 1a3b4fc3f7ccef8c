#!/usr/bin/env bash
# The images that the Dockerfile and the compose file name, and those that are built: images.sh KEPT SCRATCH PROGRAM GROUP PART...
set -euo pipefail

kept=$1 scratch=$2 program=$3
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source=scripts/lib/deployments/checks.sh
source "$here/checks.sh"
# shellcheck source=scripts/lib/deployments/podman.sh
source "$here/podman.sh"
podman_prepare "$kept" "$scratch" "$4"
shift 4

heading "Images"
said=$scratch/build.log

# made FOLDER IMAGE: out of a Dockerfile on standard input.
made() { podman build --quiet --format=docker --pull=never --network=host --tag "$2" --file - "$1" >>"$said" 2>&1 || { cat "$said" && exit 1; }; }

podman import --quiet --change='CMD ["bash"]' "$kept/base.tar" docker.io/library/debian:bookworm-slim >/dev/null
mkdir -p "$scratch/compiler"
cp "$here/stand-ins/cargo" "$scratch/compiler/cargo"
cp "$program" "$scratch/compiler/tigertrust"
made "$scratch/compiler" docker.io/library/rust:1.95-bookworm <<'FILE'
FROM debian:bookworm-slim
COPY --chmod=0755 cargo /usr/local/bin/cargo
RUN ln --symbolic cargo /usr/local/bin/rustc
COPY --chmod=0755 tigertrust /usr/local/share/tigertrust
FILE

build=$(page_block 'docker build')
check "the image is built as the page says" bash -euc "$(head -n 1 <<<"$build")"
check "and so is another, to go over to" docker build --file deploy/container/Dockerfile --tag tigertrust:next --label next=yes .

if [[ " $* " == *" compose "* ]]; then
  podman import --quiet "$kept/postgres.tar" localhost/postgres-tree >/dev/null
  podman import --quiet "$kept/valkey.tar" localhost/valkey-tree >/dev/null
  made "$here/stand-ins" docker.io/library/postgres:15-bookworm <<'FILE'
FROM localhost/postgres-tree
RUN install --directory --mode=1777 --owner=postgres --group=postgres /var/lib/postgresql/data
COPY --chmod=0755 postgres /usr/local/bin/docker-entrypoint.sh
ENV PATH=/usr/local/bin:/usr/lib/postgresql/15/bin:/usr/sbin:/usr/bin:/sbin:/bin
VOLUME /var/lib/postgresql/data
STOPSIGNAL SIGINT
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
FILE
  made "$here/stand-ins" docker.io/valkey/valkey:8-bookworm <<'FILE'
FROM localhost/valkey-tree
RUN useradd --system --home-dir /data --no-create-home valkey && ln -s redis-server /usr/bin/valkey-server && mkdir /data && chown valkey /data
WORKDIR /data
VOLUME /data
CMD ["valkey-server"]
FILE
fi
echo "made  what stands in for the images of Debian, Rust, PostgreSQL and Valkey"
