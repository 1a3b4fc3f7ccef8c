# shellcheck shell=bash
# The clients in TypeScript and Python, and their tests against a server. To be sourced, after providers.sh.
#
#   providers_install
#   clients_install
#   clients_test target/debug/tigertrust

# clients_install: puts the packages that the tests need, and the TypeScript client, into folders beside what cargo builds. Needs npm,
# Python 3.10 or later with venv, and a Node.js that providers_install has found; and the network, but only when the packages have
# changed.
clients_install() {
  local sources folder
  sources=$(_clients_sources) || return 1
  folder=$(_clients_folder) || return 1

  if ! cmp --silent "$sources/typescript/package-lock.json" "$folder/typescript/installed.json"; then
    echo "Installing the packages of the TypeScript client into $folder/typescript"
    mkdir -p "$folder/typescript" || return 1
    cp "$sources/typescript/package.json" "$sources/typescript/package-lock.json" "$folder/typescript/" || return 1
    if ! (cd "$folder/typescript" \
      && _clients_with_node npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null); then
      echo "The packages of the TypeScript client could not be installed." >&2
      return 1
    fi
    cp "$sources/typescript/package-lock.json" "$folder/typescript/installed.json" || return 1
  fi
  # What a guide installs from a clone is found among the packages, beside Express and the others that it needs.
  rm -rf "$folder/typescript/dist" "$folder/typescript/src"
  if ! cp -r "$sources/typescript/"{src,package.json,tsconfig.json} "$folder/typescript/" \
    || ! (cd "$folder/typescript" && _clients_with_node npm run --silent build) \
    || ! ln -sfn .. "$folder/typescript/node_modules/tigertrust"; then
    echo "The TypeScript client could not be built." >&2
    return 1
  fi

  if ! cmp --silent "$sources/python/requirements-test.txt" "$folder/python/installed.txt"; then
    echo "Installing the packages of the Python client into $folder/python"
    if ! python3 -m venv --clear "$folder/python" \
      || ! "$folder/python/bin/pip" install --quiet --disable-pip-version-check \
        --requirement "$sources/python/requirements-test.txt"; then
      echo "The packages of the Python client could not be installed." >&2
      return 1
    fi
    cp "$sources/python/requirements-test.txt" "$folder/python/installed.txt" || return 1
  fi
}

# clients_test SERVER: runs the tests of both clients against the program; every failure is told, not only the first.
clients_test() {
  local server failed=0
  server=$(realpath -- "$1") || return 1
  _clients_test_typescript "$server" || failed=1
  _clients_test_python "$server" || failed=1
  return "$failed"
}

_clients_test_typescript() (
  sources=$(_clients_sources)/typescript
  # Packages are looked for beside the sources, and the repository is no place for them.
  cd "$(_clients_folder)/typescript" \
    && rm -rf src test scripts build \
    && cp -r "$sources/"{src,test,scripts,package.json,tsconfig.json,tsconfig.test.json} . \
    && TIGERTRUST_TEST_SERVER=$1 _clients_with_node npm test --silent
)

_clients_test_python() (
  folder=$(_clients_folder)/python
  export PYTHONDONTWRITEBYTECODE=1
  cd "$(_clients_sources)/python" \
    && "$folder/bin/ruff" check --quiet --no-cache \
    && "$folder/bin/ruff" format --quiet --check --no-cache \
    && "$folder/bin/mypy" --cache-dir "$folder/mypy-cache" --no-error-summary \
    && TIGERTRUST_TEST_SERVER=$1 "$folder/bin/python" -m pytest --quiet
)

_clients_sources() { cd "$(dirname "${BASH_SOURCE[0]}")/../../clients" && pwd; }

_clients_folder() {
  local folder=${CARGO_TARGET_DIR:-target}/clients
  mkdir -p "$folder" && cd "$folder" && pwd
}

# With the Node.js that is new enough, as `node`.
_clients_with_node() { PATH=${PROVIDERS_DIR:+$PROVIDERS_DIR:}$PATH "$@"; }
