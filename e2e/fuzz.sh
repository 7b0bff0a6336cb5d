#!/usr/bin/env bash
# Fuzzes all targets of the module, each for its share of the time. A package is built
# once for all its targets. What fuzzing finds interesting stays in Go's cache, and what
# fails in the package's testdata/fuzz, as with go test -fuzz.
#
#     fuzz.sh SECONDS
set -euo pipefail
seconds=$1
root=$PWD
mkdir -p build/fuzz

targets=()
while read -r package dir; do
	for target in $(grep -hosE '^func Fuzz\w+' "$dir"/*_test.go | cut -d' ' -f2); do
		targets+=("$package $dir $target")
	done
done < <(go list -f '{{.ImportPath}} {{.Dir}}' ./...)
[ ${#targets[@]} -gt 0 ] || { echo "no fuzz target found" >&2; exit 1; }
share=$((seconds / ${#targets[@]}))
[ "$share" -gt 0 ] || share=1

cache=$(go env GOCACHE)/fuzz built=
for each in "${targets[@]}"; do
	read -r package dir target <<<"$each"
	binary=$root/build/fuzz/${package//\//-}.test
	if [ "$built" != "$package" ]; then
		go test -c -fuzz=. -o "$binary" "$package"
		built=$package
	fi
	echo "== $target in $package, $share s"
	(cd "$dir" && "$binary" -test.run '^$' -test.fuzz "^$target\$" -test.fuzztime "${share}s" -test.fuzzcachedir "$cache/$package")
done
