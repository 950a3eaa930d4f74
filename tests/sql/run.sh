#!/bin/sh
# Runs the pgTAP files beside it on a private cluster, each in a transaction that is rolled back,
# and tells of each file in TAP. With names of files: only these.
#
#	run.sh [FILE.sql ...]
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
dir=/tmp/chat-tap.$$
trap '"$here/cluster.sh" drop "$dir"' EXIT
trap 'exit 1' HUP INT TERM
"$here/cluster.sh" new "$dir" >&2
psql -X -q -h "$dir" -U postgres -d chat -c 'CREATE EXTENSION pgtap'

[ $# -gt 0 ] || set -- "$here"/*.sql
echo "1..$#"
number=0
failed=0
for file in "$@"; do
	number=$((number + 1))
	name=$(basename "$file" .sql)
	# one transaction, rolled back
	out=$({
		echo 'BEGIN;'
		cat "$file"
		printf '\nSELECT * FROM finish();\nROLLBACK;\n'
	} | psql -X -q -A -t -v ON_ERROR_STOP=1 -P pager=off -h "$dir" -U postgres -d chat 2>&1) &&
		status=0 || status=$?
	plan=$(echo "$out" | sed -n 's/^1\.\.\([0-9]*\)$/\1/p')
	good=$(echo "$out" | grep -c '^ok ' || true)
	if [ "$status" = 0 ] && [ "${plan:-none}" = "$good" ] && ! echo "$out" | grep -q '^not ok'; then
		echo "ok $number - $name ($good)"
	else
		echo "not ok $number - $name"
		echo "$out" | sed 's/^/# /'
		failed=1
	fi
done
exit "$failed"
