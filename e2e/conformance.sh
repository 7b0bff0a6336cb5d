#!/usr/bin/env bash
# Compares Sluice with the recorded answers of Pushgateway, in all profiles of
# flags.
#
#     conformance.sh FOLDER BINARY
#
# Cases that are known to differ stand in conformance-differs.txt, each with its
# reason. Any other difference fails, and so does a listed case that agrees: the
# list can only become shorter by itself.
set -euo pipefail
suite=$1 binary=$2
known=$(dirname "$0")/conformance-differs.txt

if [ ! -e "$suite/profiles.py" ]; then
	echo "The recorded answers are not part of this repository: there is no $suite, so they are not compared (CONFORMANCE=folder)."
	[ "${CI:-}" != true ] || exit 1
	exit 0
fi

mkdir -p build
output=build/conformance.txt log=build/conformance-server.log
rm -f "$log"
status=0
python3 "$suite/profiles.py" --bin "$binary serve" --arg=--bus.data-dir={tmp}/data \
	--log "$log" | tee "$output" || status=$?
if [ "$status" -gt 1 ]; then
	echo "the suite could not run; the server's log is $log" >&2
	exit "$status"
fi

listed=$(sed -n 's/^\([a-z0-9][^ ]*\) .*/\1/p' "$known" | sort)
differs=$(sed -n 's/^DIFF \([^ ]*\) .*/\1/p' "$output" | sort)
unexpected=$(comm -13 <(echo "$listed") <(echo "$differs"))
agreeing=$(comm -23 <(echo "$listed") <(echo "$differs"))
for id in $unexpected; do echo "differs and is not in $known: $id" >&2; done
for id in $agreeing; do echo "agrees by now, so it must leave $known: $id" >&2; done
[ -z "$unexpected$agreeing" ]
