#!/usr/bin/env bash
# Fuzzes each target of the packages for a time. Go runs one target a call.
#
#     fuzz.sh TIME PACKAGE...
set -euo pipefail
fuzztime=$1
shift
found=0
for package in "$@"; do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		found=$((found + 1))
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" "$package"
	done
done
[ "$found" -gt 0 ] || { echo "no fuzz target found" >&2; exit 1; }
