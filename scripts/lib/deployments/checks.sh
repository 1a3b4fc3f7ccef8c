# shellcheck shell=bash
# How a check is told, and what it waits with. To be sourced.

# heading TEXT
heading() { printf '\n== %s\n' "$*"; }

# check SENTENCE COMMAND...: one line; where the command fails, what it said, and the end.
check() {
  local sentence=$1 said status=0
  shift
  # Not as a condition, under which a function would go on after what fails in it.
  set +e
  said=$(set -e; "$@" 2>&1)
  status=$?
  set -e
  if ((status == 0)); then
    echo "ok    $sentence"
  else
    printf 'FAILED %s\n%s\n' "$sentence" "$said" >&2
    exit 1
  fi
}

# refused COMMAND...: succeeds if the command does not.
refused() { ! "$@"; }

# within SECONDS COMMAND...: again and again, until it succeeds or the time is over.
within() {
  local end=$((SECONDS + $1)) said
  shift
  until said=$("$@" 2>&1); do
    if ((SECONDS >= end)); then
      printf '%s\n' "$said"
      return 1
    fi
    sleep 0.2
  done
}

# status_is CODE ARGUMENT...: what curl, so called, gets for an answer.
status_is() {
  local expected=$1 got
  shift
  got=$(curl --silent --output /dev/null --max-time 5 --write-out '%{http_code}' "$@") || true
  [[ $got == "$expected" ]] || { echo "answered $got, not $expected" && return 1; }
}

# contains TEXT PART...
contains() {
  local text=$1 part
  shift
  for part in "$@"; do
    [[ $text == *"$part"* ]] || { printf 'this is not there: %s\nbut:\n%s\n' "$part" "$text" && return 1; }
  done
}

# without TEXT SECRET...: none of them stands in the text. It is not shown, for it might.
without() {
  local text=$1 secret
  shift
  [[ -n $text ]] || { echo "there is no text" && return 1; }
  for secret in "$@"; do
    [[ -n $secret ]] || { echo "there is no secret to look for" && return 1; }
    [[ $text != *"$secret"* ]] || { echo "a secret stands in it" && return 1; }
  done
}

# page_block TEXT: the first block of commands on the page for operators in which the text stands.
page_block() {
  awk -v wanted="$1" '
    /^```/ && inside { if (index(block, wanted)) { printf "%s", block; found = 1; exit } inside = 0; next }
    /^```sh/ { inside = 1; block = ""; next }
    inside { block = block $0 "\n" }
    END { exit !found }
  ' docs/src/operations/installing.md
}

# page_ini TEXT: as page_block, of the blocks that are parts of a unit.
page_ini() {
  awk -v wanted="$1" '
    /^```/ && inside { if (index(block, wanted)) { printf "%s", block; found = 1; exit } inside = 0; next }
    /^```ini/ { inside = 1; block = ""; next }
    inside { block = block $0 "\n" }
    END { exit !found }
  ' docs/src/operations/installing.md
}
