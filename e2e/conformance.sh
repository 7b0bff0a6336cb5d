#!/usr/bin/env bash
# Compares Sluice with the recorded answers of Pushgateway, in all profiles of
# flags.
#
#     conformance.sh FOLDER BINARY OUTPUT
#
# Cases that are known to differ are in conformance-differs.txt, each with its reason.
# Any other difference fails, and so does a listed case that agrees: it must leave the
# list. A case that was not compared fails, too. OUTPUT.txt gets what the suite prints,
# OUTPUT-server.log what the server logs.
set -euo pipefail
suite=$1 binary=$2 output=$3.txt log=$3-server.log
known=${CONFORMANCE_DIFFERS:-$(dirname "$0")/conformance-differs.txt}

if [ ! -e "$suite/profiles.py" ]; then
	echo "The suite of recorded answers in $suite is absent, so nothing can be compared." >&2
	exit 1
fi

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

# Informative cases are never counted.
cases=$(python3 -c 'import json, sys; print(sum(not c.get("informative") for c in json.load(open(sys.argv[1]))["cases"]))' "$suite/cases.json")
compared=$(awk '/^[0-9]+ of [0-9]+ cases agree$/ { n += $1 } /^DIFF / { n++ } END { print n + 0 }' "$output")
[ "$compared" = "$cases" ] || echo "only $compared of $cases cases were compared" >&2
[ -z "$unexpected$agreeing" ] && [ "$compared" = "$cases" ]
