# shellcheck shell=bash
# A throwaway SMTP server of one's own, on a free loopback port, that delivers nothing: every mail becomes a file. To be
# sourced.
#
#   trap smtp_stop EXIT
#   smtp_start              # sets SMTP_URL and SMTP_MAILDIR
#   ls "$SMTP_MAILDIR/new"  # the mails it took (https://cr.yp.to/proto/maildir.html)

# shellcheck disable=SC2034 # read by the script that sources this
SMTP_URL=
SMTP_MAILDIR=
SMTP_DIR=
SMTP_PID=

# smtp_find: prints a Python that has aiosmtpd; fails where there is none.
smtp_find() {
  local candidate
  for candidate in python3 /usr/bin/python3 "$(_smtp_environment)/bin/python"; do
    if "$candidate" -c 'import aiosmtpd' 2>/dev/null; then
      echo "$candidate"
      return 0
    fi
  done
  return 1
}

# smtp_install: puts aiosmtpd where smtp_find looks, beside what cargo builds. Needs the network, once.
smtp_install() {
  local environment
  environment=$(_smtp_environment)
  echo "Installing aiosmtpd into $environment"
  if ! python3 -m venv --clear "$environment" \
    || ! "$environment/bin/pip" install --quiet --disable-pip-version-check aiosmtpd==1.4.6; then
    rm -rf "$environment"
    echo "aiosmtpd could not be installed (Debian: apt-get install python3-aiosmtpd)." >&2
    return 1
  fi
}

# smtp_start: starts the server. smtp_stop takes it and the mails away, also after a failure.
smtp_start() {
  local python attempt port
  if ! python=$(smtp_find); then
    echo "There is no aiosmtpd on this machine (Debian: apt-get install python3-aiosmtpd)." >&2
    return 1
  fi
  SMTP_DIR=$(mktemp -d) || return 1
  SMTP_MAILDIR=$SMTP_DIR/mails

  # Whether a port is free is known only once it is bound, so a taken one is met by trying the next.
  for ((attempt = 1; attempt <= 20; attempt++)); do
    port=$((20000 + RANDOM % 12000))
    "$python" -m aiosmtpd --nosetuid --class aiosmtpd.handlers.Mailbox --listen "127.0.0.1:$port" \
      "$SMTP_MAILDIR" >"$SMTP_DIR/server.log" 2>&1 &
    SMTP_PID=$!
    if _smtp_answers "$port"; then
      SMTP_URL="smtp://127.0.0.1:$port?tls=none"
      return 0
    fi
    _smtp_kill
    grep -q "address already in use" "$SMTP_DIR/server.log" || break
  done
  echo "The SMTP server did not start. Its log:" >&2
  cat "$SMTP_DIR/server.log" >&2
  return 1
}

# smtp_stop: ends the server and removes its files. May be called at any time, and twice.
smtp_stop() {
  [[ -n $SMTP_DIR ]] || return 0
  _smtp_kill
  rm -rf "$SMTP_DIR"
  SMTP_DIR=
  SMTP_MAILDIR=
  SMTP_URL=
}

_smtp_environment() { echo "${CARGO_TARGET_DIR:-target}/smtp-server"; }

# Waits for the greeting, as long as the server lives: on a taken port somebody else might answer.
_smtp_answers() {
  local tenths greeting
  for ((tenths = 0; tenths < 100; tenths++)); do
    kill -0 "$SMTP_PID" 2>/dev/null || return 1
    if greeting=$( (exec 3<>"/dev/tcp/127.0.0.1/$1" && head -n 1 <&3) 2>/dev/null) && [[ $greeting == 220* ]]; then
      kill -0 "$SMTP_PID" 2>/dev/null
      return
    fi
    sleep 0.1
  done
  return 1
}

_smtp_kill() {
  if [[ -n $SMTP_PID ]]; then
    kill "$SMTP_PID" 2>/dev/null || true
    wait "$SMTP_PID" 2>/dev/null || true
  fi
  SMTP_PID=
}
