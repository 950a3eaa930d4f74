#!/bin/bash
# install.sh PACKAGE...: installs Debian packages, as root. No service is started and no PostgreSQL
# cluster made, for which two files are put in place meanwhile; an administrator's own are left
# alone.
set -euo pipefail

policy=/usr/sbin/policy-rc.d
no_cluster=/etc/postgresql-common/createcluster.d/chat-dev.conf
made=()

# An installation that has begun is finished, whatever happens to dev.
trap '' INT TERM HUP
trap 'rm -f "${made[@]}"' EXIT

if [ ! -e "$policy" ]; then
  made+=("$policy")
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
if [ ! -e "$no_cluster" ]; then
  made+=("$no_cluster")
  mkdir -p "${no_cluster%/*}"
  echo "create_main_cluster = false" >"$no_cluster"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends "$@"
