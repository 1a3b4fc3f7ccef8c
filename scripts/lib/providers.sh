# shellcheck shell=bash
# The identity providers that tests sign in with: programs for Node.js, and the packages that they are made of. Tests start them
# themselves. To be sourced.
#
#   providers_install
#   export TIGERTRUST_TEST_PROVIDERS=$PROVIDERS_DIR

# shellcheck disable=SC2034 # read by the script that sources this
PROVIDERS_DIR=

# providers_find: whether there is a Node.js that they run on, and npm to install them with.
providers_find() {
  command -v npm >/dev/null && _providers_node_is_new_enough
}

# providers_install: puts the programs and their packages into a folder beside what cargo builds, and sets PROVIDERS_DIR. Needs the
# network, but only when the packages have changed.
providers_install() {
  local sources program
  if ! providers_find; then
    echo "The identity providers of the tests need Node.js 20.19 or later, and npm." >&2
    return 1
  fi
  sources=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../crates/testkit/providers" && pwd) || return 1
  PROVIDERS_DIR=${CARGO_TARGET_DIR:-target}/identity-providers
  mkdir -p "$PROVIDERS_DIR" || return 1
  PROVIDERS_DIR=$(cd "$PROVIDERS_DIR" && pwd) || return 1

  if ! cmp --silent "$sources/package-lock.json" "$PROVIDERS_DIR/installed.json"; then
    echo "Installing the identity providers into $PROVIDERS_DIR"
    cp "$sources/package.json" "$sources/package-lock.json" "$PROVIDERS_DIR/" || return 1
    if ! (cd "$PROVIDERS_DIR" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null); then
      echo "The packages of the identity providers could not be installed." >&2
      return 1
    fi
    cp "$sources/package-lock.json" "$PROVIDERS_DIR/installed.json" || return 1
  fi
  # Packages are looked for beside a program: the links are there, and what they lead to is the present one.
  for program in "$sources"/*.mjs; do
    ln --symbolic --force "$program" "$PROVIDERS_DIR/" || return 1
  done
}

_providers_node_is_new_enough() {
  node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null
}
