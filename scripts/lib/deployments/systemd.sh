# shellcheck shell=bash
# The Debian package, on a machine of Debian whose first process is systemd. To be sourced.
# shellcheck disable=SC2016 # what is quoted is expanded on the machine

# inside COMMANDS [ARGUMENT...]: on the machine, as root there.
inside() {
  local commands=$1
  shift
  nsenter --target "$LEADER" --mount --uts --ipc --net --pid --cgroup --root --wdns=/root -- \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb DEBIAN_FRONTEND=noninteractive \
    bash -euo pipefail -c "$commands" inside "$@"
}

# machine_boot: of the tree that is unpacked; sets MACHINE and LEADER, its first process as it is seen from here.
machine_boot() {
  # A terminal of its own, whose text is kept.
  systemd-nspawn --quiet --boot --directory="$1/machine" --machine=tigertrust --private-network --register=no --keep-unit \
    --link-journal=no --resolv-conf=off --timezone=off --console=pipe </dev/null >"$1/console.log" 2>&1 &
  MACHINE=$!
  within 20 machine_lead && machine_lead
}

machine_lead() {
  LEADER=$(ps -o pid= --ppid "$MACHINE" -C systemd | head -n 1 | tr -d ' ')
  [[ -n $LEADER ]]
}

# main_pid: the server's, as it is seen on the machine.
main_pid() { inside 'systemctl show --property=MainPID --value tigertrust'; }

# unit_has NAME=VALUE...: as systemd has it in force.
unit_has() {
  local line
  for line in "$@"; do
    contains "$(inside 'systemctl show "$1" --property="$2"' tigertrust "${line%%=*}")" "$line"
  done
}

key_is_let_in() { inside 'test "$(curl --silent --output /dev/null --max-time 5 --write-out "%{http_code}" --header "X-Agent-API-Key: $1" http://127.0.0.1:8080/api/auth/me)" = 200' "$KEY"; }

another_pid_than() { local now; now=$(main_pid) && [[ $now != 0 && $now != "$1" ]]; }

# calls_all_answered COMMANDS: connections made one after the other while the commands run, each of which must be answered.
calls_all_answered() {
  inside '
    touch /run/calling
    (
      calls=0 failed=0
      while [[ -e /run/calling ]]; do
        calls=$((calls + 1))
        curl --silent --fail --output /dev/null --max-time 20 http://127.0.0.1:8080/healthz || failed=$((failed + 1))
      done
      echo "$calls $failed" >/run/called
    ) &
    bash -euc "$1" || { rm /run/calling; exit 1; }
    sleep 1
    rm /run/calling
    wait
    read -r calls failed </run/called
    echo "$failed of $calls failed"
    test "$calls" -gt 5 && test "$failed" = 0' "$1"
}

# machine_probe: what a program may do that runs as the server does, under the same unit.
machine_probe() {
  inside '
    cat >/usr/local/bin/probe
    sed -e "s|^ExecStart=.*|ExecStart=/bin/bash /usr/local/bin/probe|" -e "s|^Type=.*|Type=oneshot|" -e "/^Restart/d;/^WatchdogSec/d;/^ExecReload/d;/^NotifyAccess/d" \
      /lib/systemd/system/tigertrust.service >/run/systemd/system/probe.service
    systemctl daemon-reload
    systemctl start probe || { journalctl --output=cat --unit=probe; exit 1; }' <<'PROBE'
failed=0
may_not() { if "$@" 2>/dev/null; then echo "may: $*"; failed=1; fi; }
may() { if ! "$@"; then echo "may not: $*"; failed=1; fi; }
may touch /var/lib/tigertrust/probe
may test -r "$CREDENTIALS_DIRECTORY/keyring.toml"
may_not touch /etc/tigertrust/probe
may_not touch /usr/probe
may_not touch /probe
may_not touch "$CREDENTIALS_DIRECTORY/probe"
may_not ls /root
may_not ls /home
may_not test -e /proc/1
may_not test -e /proc/meminfo
may_not test -e /dev/kmsg
may_not chmod u+s /var/lib/tigertrust/probe
may_not unshare --user true
may_not mount -t tmpfs tmpfs /tmp
may_not date --set "$(date)"
may_not hostname elsewhere
may_not chroot / true
may_not nice -n -5 perl -e 'exit(getpriority(0, 0) < 0 ? 0 : 1)'
may_not su -c true nobody
# AF_PACKET, and AF_NETLINK.
may_not perl -e 'socket(my $s, 17, 3, 0) or exit 1'
may_not perl -e 'socket(my $s, 16, 3, 0) or exit 1'
may perl -e 'socket(my $s, 2, 1, 0) or exit 1'
# Memory that is written to and run.
if [[ $(uname -m) == x86_64 ]]; then may_not perl -e 'exit(syscall(9, 0, 4096, 7, 0x22, -1, 0) == -1 ? 1 : 0)'; fi
rm /var/lib/tigertrust/probe
exit "$failed"
PROBE
}

deploy_systemd() {
  local scratch=$2 KEY MACHINE LEADER pid text package secrets
  heading "Package and systemd"
  mkdir "$scratch/machine"
  tar --extract --numeric-owner --file "$1/machine.tar" --directory "$scratch/machine"
  package=$(find "$scratch/packages" -name '*.deb')
  cp "$package" "$scratch/machine/root/tigertrust_1.deb"
  # The same program, as the next version.
  dpkg-deb --raw-extract "$package" "$scratch/next"
  sed -i 's/^Version: .*/&+next/' "$scratch/next/DEBIAN/control"
  dpkg-deb --root-owner-group --build "$scratch/next" "$scratch/machine/root/tigertrust_2.deb" >/dev/null

  machine_boot "$scratch" || { cat "$scratch/console.log" && exit 1; }
  check "a machine comes up, with all of its services" within 60 inside 'systemctl is-system-running'

  check "the package is installed" inside 'apt-get install --yes ./tigertrust_1.deb'
  check "nothing is started by itself" inside '! systemctl is-active --quiet tigertrust && ! systemctl is-enabled --quiet tigertrust'
  check "the ring is for root and the account alone" inside 'test "$(stat --format="%a %U %G" /etc/tigertrust/keyring.toml)" = "640 root tigertrust"'
  text=$(inside "$(page_block 'tt config check')")
  check "the commands of the page make a first person, and start the service" contains "$text" you@example.com
  KEY=$(inside "$(page_block 'tt config check' | head -n 1)"'
    tt workspace create Acme --owner you@example.com >/dev/null
    tt --output json key create --name first --scope "keys:*" | tr -d " \n" | sed "s/.*\"key\":\"\([^\"]*\)\".*/\1/"')
  check "it runs" unit_has Type=notify ActiveState=active SubState=running WatchdogUSec=30s NRestarts=0
  check "and lets a key in" key_is_let_in

  pid=$(main_pid)
  text=$(inside 'cat "/proc/$1/status"' "$pid" | tr '\t' ' ')
  check "the server has no capability, nor can get one" contains "$text" "CapPrm: 0000000000000000" "CapEff: 0000000000000000" "CapBnd: 0000000000000000" "NoNewPrivs: 1" "Seccomp: 2"
  check "and is not root" refused grep -q "^Uid: 0 " <<<"$text"
  check "what must be denied is denied" machine_probe
  check "systemd rates its exposure below 1.5" inside 'systemd-analyze security --no-pager --threshold=15 tigertrust'

  check "systemctl reload has it read its settings anew" inside '
    sed -i "s/^\[log\]/[log]\nfilter = \"info\"/" /etc/tigertrust/config.toml
    systemctl reload tigertrust
    journalctl --sync
    journalctl --output=cat --unit=tigertrust | grep -q "settings read again" || { journalctl --output=cat --unit=tigertrust; exit 1; }'
  check "in the same process" test "$(main_pid)" = "$pid"

  inside 'kill -KILL "$1"' "$pid"
  check "killed, it is started anew" within 20 another_pid_than "$pid"
  check "and lets the key in" within 10 key_is_let_in
  inside 'mkdir -p /run/systemd/system/tigertrust.service.d && printf "[Service]\nWatchdogSec=2s\n" >/run/systemd/system/tigertrust.service.d/watchdog.conf && systemctl daemon-reload && systemctl restart tigertrust'
  pid=$(main_pid)
  inside 'kill -STOP "$1"' "$pid"
  check "hanging, it is ended and started anew" within 30 another_pid_than "$pid"
  check "and lets the key in" within 10 key_is_let_in
  inside 'rm -r /run/systemd/system/tigertrust.service.d && systemctl daemon-reload && systemctl restart tigertrust'

  check "another secret comes in by a drop-in" inside '
    install -m 0600 /dev/null /etc/tigertrust/database-url
    echo sqlite:///var/lib/tigertrust/tigertrust.db >/etc/tigertrust/database-url
    mkdir -p /etc/systemd/system/tigertrust.service.d
    cat >/etc/systemd/system/tigertrust.service.d/override.conf
    systemctl daemon-reload
    # It was started more often by now than a service may be that mistakes its settings.
    systemctl reset-failed tigertrust
    systemctl restart tigertrust || { journalctl --output=cat --unit=tigertrust | tail -n 5; exit 1; }' <<<"$(page_ini 'LoadCredential=database-url')"
  check "and lets the key in" within 10 key_is_let_in

  check "systemd takes the port, as the page says" inside "$(page_block 'enable tigertrust.socket')"
  check "and holds it while the service is started anew: no connection is refused" calls_all_answered 'systemctl restart tigertrust; sleep 1; systemctl restart tigertrust'
  check "and lets the key in" within 10 key_is_let_in

  inside 'systemctl reset-failed tigertrust'
  pid=$(main_pid)
  check "an upgrade refuses no connection" calls_all_answered 'apt-get install --yes ./tigertrust_2.deb'
  check "starts the service anew" another_pid_than "$pid"
  check "leaves settings as they were edited" inside 'grep -q "^filter = \"info\"" /etc/tigertrust/config.toml'
  check "and lets the key in" within 10 key_is_let_in

  check "systemctl stop ends it in time, with status 0" inside '
    SECONDS=0; systemctl stop tigertrust.socket tigertrust; test "$SECONDS" -lt 12
    test "$(systemctl show --property=Result --value tigertrust):$(systemctl show --property=ExecMainStatus --value tigertrust)" = success:0'
  check "the machine starts it when it boots: both are enabled" inside 'systemctl is-enabled tigertrust.service tigertrust.socket'
  inside 'systemctl start tigertrust.socket tigertrust'

  mapfile -t secrets < <(inside 'sed -n "s/^secret *= *\"\(.*\)\"/\1/p" /etc/tigertrust/keyring.toml')
  check "the journal has neither key nor secrets" without "$(inside 'journalctl --sync; journalctl --output=export --no-pager | tr -d "\000"')" "$KEY" "${secrets[@]}"

  check "the package is removed" inside 'apt-get remove --yes tigertrust'
  check "nothing of it runs, and nothing listens" inside '! systemctl is-active --quiet tigertrust && ! systemctl is-active --quiet tigertrust.socket && ! curl --silent http://127.0.0.1:8080/healthz && test -z "$(pgrep -u tigertrust)"'
  check "put back, it goes on where it was" inside 'apt-get install --yes ./tigertrust_2.deb && systemctl start tigertrust'
  check "and lets the key in" within 10 key_is_let_in
  text=$(inside 'apt-get purge --yes tigertrust 2>&1')
  check "purged, it says what it leaves" contains "$text" "left in place: /etc/tigertrust/keyring.toml" "left in place: /var/lib/tigertrust"
  check "and leaves that, and no more" inside '
    test -e /etc/tigertrust/keyring.toml && test -e /var/lib/tigertrust/tigertrust.db && test ! -e /etc/tigertrust/config.toml
    test -z "$(find /etc /usr /lib /var/lib/systemd /var/lib/dpkg/info -name "*tigertrust*" -not -path "/etc/tigertrust*" -not -path "/etc/systemd/system/tigertrust.service.d*")"'

  inside 'systemctl poweroff' || true
  wait "$MACHINE" || true
}
