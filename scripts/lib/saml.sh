# shellcheck shell=bash
# Responses of SAML to test with, made by other programs: xmlsec1 and pysaml2. To be sourced.
#
#   saml_find >/dev/null || saml_install
#   saml_generate FILE

# saml_find: prints a Python that has pysaml2; fails where there is none, or no xmlsec1.
saml_find() {
  local candidate
  command -v xmlsec1 >/dev/null || return 1
  for candidate in python3 /usr/bin/python3 "$(_saml_environment)/bin/python"; do
    if "$candidate" -W ignore -c 'import saml2.server' 2>/dev/null; then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}

# saml_install: puts pysaml2 where saml_find looks, beside what cargo builds. Needs the network, once.
saml_install() {
  local environment
  environment=$(_saml_environment)
  echo "Installing pysaml2 into $environment"
  if ! python3 -m venv --clear "$environment" \
    || ! "$environment/bin/pip" install --quiet --disable-pip-version-check pysaml2==7.5.5 cryptography==50.0.2; then
    rm -rf "$environment"
    echo "pysaml2 could not be installed (Debian: apt-get install python3-pysaml2)." >&2
    return 1
  fi
}

# saml_generate FILE: writes genuine responses and attacks, of now.
saml_generate() {
  local python
  if ! python=$(saml_find); then
    echo "There is no xmlsec1 or no pysaml2 on this machine (Debian: apt-get install xmlsec1 python3-pysaml2)." >&2
    return 1
  fi
  "$python" -B -W ignore crates/sso/tests/corpus/generate.py "$1"
}

# saml_seeds FILE DIRECTORY: the documents of what saml_generate wrote, each in a file, for a fuzzer to begin with.
saml_seeds() {
  python3 - "$1" "$2" <<'PYTHON'
import base64, json, pathlib, sys

path, directory = sys.argv[1:]
corpus = json.loads(pathlib.Path(path).read_text())
pathlib.Path(directory).mkdir()
pathlib.Path(directory, "metadata").write_text(corpus["metadata"])
for number, case in enumerate(corpus["cases"]):
    try:
        document = base64.b64decode(case["response"], validate=True)
    except ValueError:
        continue
    if len(document) <= 16_384:
        pathlib.Path(directory, str(number)).write_bytes(document)
PYTHON
}

_saml_environment() { echo "${CARGO_TARGET_DIR:-target}/saml-programs"; }
