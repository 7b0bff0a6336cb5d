#!/usr/bin/env bash
# Runs the benchmarks of a revision and of the working tree in turn, on the same
# machine within the same hour, and lets benchstat compare them.
#
#     bench-compare.sh REVISION PATTERN COUNT
set -euo pipefail
revision=${1:?say against which revision: make bench-compare REF=HEAD~1} pattern=$2 count=$3

old=$PWD/build/bench-compare
git worktree remove --force "$old" 2>/dev/null || true
git worktree add --quiet --detach "$old" "$revision"
trap 'git worktree remove --force "$old"' EXIT

bench() { (cd "$1" && go test -run '^$' -bench "$pattern" -benchmem -timeout=0 $(go list ./... | grep -v /e2e)); }
: >build/bench-old.txt >build/bench-new.txt
for ((i = 1; i <= count; i++)); do # alternating: a machine that slows down slows both
	echo "run $i of $count"
	bench "$old" >>build/bench-old.txt
	bench . >>build/bench-new.txt
done
build/bin/benchstat "$revision"=build/bench-old.txt new=build/bench-new.txt
