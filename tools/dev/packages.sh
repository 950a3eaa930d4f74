# shellcheck shell=bash
# Debian packages: finds out what is missing; install.sh installs it. To be sourced by dev, for
# need_packages().

# The packages of lists that are not installed, one a line.
missing_of_lists() {
  local wanted
  mapfile -t wanted < <(sed '/^#/d; /^$/d' "$@")
  comm -23 <(printf '%s\n' "${wanted[@]}" | sort -u) \
    <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
      sed -n 's/^installed //p' | sort -u)
}

# Whether a PostgreSQL server of version 15 or newer is there, from wherever it came.
has_postgresql() {
  local initdb version
  for initdb in /usr/lib/postgresql/*/bin/initdb; do
    version=${initdb#/usr/lib/postgresql/}
    [ -x "$initdb" ] && [ "${version%%/*}" -ge 15 ] && return 0
  done
  return 1
}

# Node.js and npm are taken as found: distributions of their own are common.
has_node() {
  command -v npm >/dev/null && command -v node >/dev/null &&
    node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null
}

# need_packages LIST...: makes sure that the packages of these files are installed, PostgreSQL and
# Node.js too.
need_packages() {
  local missing sudo=()
  missing=$(missing_of_lists "$@")
  has_postgresql || missing+=" postgresql"
  has_node || missing+=" nodejs npm"
  # shellcheck disable=SC2086 # words
  set -- $missing
  [ $# -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || fail "packages are missing and there is no sudo; as root:" \
      "apt-get install --no-install-recommends $*"
    sudo=(sudo)
  fi
  step "installing Debian packages: $*"
  quietly packages "${sudo[@]}" "$HERE/install.sh" "$@"
}
