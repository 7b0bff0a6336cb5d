#!/usr/bin/env bash
# Fuzzes all targets of the packages, each for its share of the time. Go runs one
# target a call.
#
#     fuzz.sh SECONDS PACKAGE...
set -euo pipefail
seconds=$1
shift
targets=()
for package in "$@"; do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		targets+=("$package $target")
	done
done
[ ${#targets[@]} -gt 0 ] || { echo "no fuzz target found" >&2; exit 1; }
share=$((seconds / ${#targets[@]}))
[ "$share" -gt 0 ] || share=1
for each in "${targets[@]}"; do
	read -r package target <<<"$each"
	echo "== $target in $package, $share s"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "${share}s" "$package"
done
