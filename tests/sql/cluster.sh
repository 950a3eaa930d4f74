#!/bin/sh
# A private PostgreSQL cluster for tests: unix socket only, trust, no fsync. Touches no other one.
#
#	cluster.sh new DIR         make it, start it, apply sql/ to the database "chat"
#	cluster.sh start DIR
#	cluster.sh stop DIR MODE   fast or immediate
#	cluster.sh drop DIR        stop it and remove DIR
#
# DIR must not exist and be short: its path and 20 characters more make a socket's name, of which
# 107 fit. Connect with host=DIR user=postgres dbname=chat; the role chat_test is a broker's login.
# Started by root, the cluster runs as user postgres.
set -eu

command=$1
dir=$2
mode=${3:-fast}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
bin=$(pg_config --bindir 2>/dev/null || true)
if [ ! -x "$bin/initdb" ]; then
	for bin in /usr/lib/postgresql/*/bin; do :; done
fi

as_postgres() {
	if [ "$(id -u)" = 0 ]; then
		(cd / && runuser -u postgres -- "$@")
	else
		"$@"
	fi
}

ctl() {
	as_postgres "$bin/pg_ctl" -D "$dir/data" -s -w -t 60 "$@"
}

# One file in one transaction together with its row, as chatctl migrate does it.
apply() {
	name=$(basename "$1" .sql)
	{
		cat "$1"
		printf "\nINSERT INTO chat.schema_version (version, name, sha256) VALUES (%d, '%s', '%s');\n" \
			"$(echo "$name" | sed 's/_.*//; s/^0*//')" "$name" "$(sha256sum "$1" | cut -d' ' -f1)"
	} | psql -X -q -1 -v ON_ERROR_STOP=1 -h "$dir" -U postgres -d chat -f -
}

case $command in
new)
	mkdir -m 0755 "$dir"
	if [ "$(id -u)" = 0 ]; then
		chown postgres "$dir"
	fi
	as_postgres "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 \
		--no-sync --no-instructions >/dev/null
	cat >>"$dir/data/postgresql.conf" <<-CONF
		listen_addresses = ''
		unix_socket_directories = '$dir'
		fsync = off
		full_page_writes = off
		max_connections = 60
		shared_buffers = 32MB
		autovacuum_naptime = 1min
	CONF
	ctl -l "$dir/log" start
	createdb -h "$dir" -U postgres chat
	for file in "$root"/sql/[0-9]*.sql; do
		apply "$file"
	done
	psql -X -q -v ON_ERROR_STOP=1 -h "$dir" -U postgres -d chat \
		-c "CREATE ROLE chat_test LOGIN; GRANT chat_broker TO chat_test"
	;;
start)
	ctl -l "$dir/log" start
	;;
stop)
	ctl -m "$mode" stop
	;;
drop)
	ctl -m immediate stop >/dev/null 2>&1 || true
	rm -rf "$dir"
	;;
*)
	echo "cluster.sh: unknown command $command" >&2
	exit 2
	;;
esac
