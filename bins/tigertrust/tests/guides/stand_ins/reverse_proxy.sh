# What stands in for root, packages and services in the guide on reverse proxies: proxies of this session's own, below $PWD/etc. To be sourced.
#
# $listen, $tigertrust and $backend are the ports in place of 443, 8080 and 3000.

root=$PWD
mkdir -p "$root"/etc/{nginx/conf.d,caddy,haproxy,ssl/private}
cat >"$root/etc/nginx/nginx.conf" <<CONF
user $(id -un);
daemon off;
pid $root/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path $root/body;
    proxy_temp_path $root/proxy;
    fastcgi_temp_path $root/fastcgi;
    uwsgi_temp_path $root/uwsgi;
    scgi_temp_path $root/scgi;
    include conf.d/*.conf;
}
CONF

sudo() { "$@"; }

# Packages are there already, or the test says so.
apt-get() {
  local package
  for package in "${@:3}"; do
    command -v "${package%-light}" || return 1
  done
}

# systemctl reload|stop NAME: as a process of this session.
systemctl() {
  if [[ $1 == stop ]]; then
    kill "$proxy"
    wait "$proxy" || true
    return
  fi
  stand_in_configure
  case $2 in
    nginx) nginx -e stderr -p "$root/etc/nginx" -c nginx.conf & ;;
    caddy) XDG_DATA_HOME=$root/caddy XDG_CONFIG_HOME=$root/caddy caddy run --config "$root/etc/caddy/Caddyfile" & ;;
    haproxy) haproxy -db -f "$root/etc/haproxy/haproxy.cfg" & ;;
  esac
  proxy=$!
  # Any answer will do.
  curl --insecure --retry 1000 --retry-delay 0 --retry-connrefused --resolve "api.example.com:$listen:127.0.0.1" \
    "https://api.example.com:$listen/public/" >/dev/null
}

# The files of deploy/ as they were copied, with what differs here.
stand_in_configure() {
  local files=("$root"/etc/nginx/conf.d/* "$root"/etc/caddy/* "$root"/etc/haproxy/*.cfg)
  local file
  for file in "${files[@]}"; do
    [[ -f $file ]] || continue
    sed --in-place -E \
      -e "s#([ :])443\\b#\\1$listen#; s#127.0.0.1:8080#127.0.0.1:$tigertrust#; s#127.0.0.1:3000#127.0.0.1:$backend#" \
      -e "s#^api\\.example\\.com \\{#api.example.com:$listen {\\n\\ttls /etc/ssl/api.example.com.pem /etc/ssl/private/api.example.com.key#" \
      -e "s#([ \"])/etc/#\\1$root/etc/#g; /^ +(user|group|log) /d" \
      "$file"
  done
  file=$root/etc/caddy/Caddyfile
  if [[ -f $file ]]; then
    { printf '{\n\tadmin off\n\tauto_https disable_redirects\n}\n' && cat "$file"; } >"$file.new" && mv "$file.new" "$file"
  fi
}
