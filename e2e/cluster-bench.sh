#!/usr/bin/env bash
# Measures what three members on one machine cost beside a gateway that is alone,
# and how soon a fresh member has all. In turn, ROUNDS times: pushes a second from
# twelve connections to one alone, to one of three, and spread over all three. Then
# GROUPS groups of 20 series, brought along from a gateway that was alone, and
# ROUNDS times: one of three is killed, loses its data directory and is started.
# Prints seconds until it is ready, and until all copies of the stream are current.
#
#     cluster-bench.sh BINARY LOADGEN [GROUPS [ROUNDS]]
#
# SYNC=interval measures with that instead of --bus.sync=always.
set -euo pipefail
binary=$1 loadgen=$2 groups=${3:-100000} rounds=${4:-5} sync=${SYNC:-always}
data=$(mktemp -d)
pids=()
finish() { kill -9 "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$data"; }
trap finish EXIT
peers=127.0.0.1:19321,127.0.0.1:19322,127.0.0.1:19323
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN {printf "%.2f", b - a}'; }
url() { echo "http://127.0.0.1:1931$1"; }

# launch NUMBER SYNC [FLAG...] starts a gateway on the data directory of its number.
launch() {
	local n=$1 sync=$2
	shift 2
	"$binary" serve --web.listen-address=127.0.0.1:1931"$n" --bus.data-dir="$data/$n" --bus.sync="$sync" "$@" >>"$data/$n.log" 2>&1 &
	pids[n]=$!
}
member() { launch "$1" "$2" --cluster.listen=127.0.0.1:1932"$1" --cluster.peers=$peers; }
ready() {
	until curl --silent --fail --output /dev/null "$(url "$1")/-/ready"; do
		kill -0 "${pids[$1]}" || { tail -5 "$data/$1.log" >&2; exit 1; }
		sleep 0.02
	done
}
current() {
	until curl --silent --fail "$(url 1)/api/v1/cluster" | jq --exit-status '.data.stream.copies | length == 3 and all(.current and (.offline | not) and .lag == 0)' >/dev/null; do
		sleep 0.05
	done
}
stop() {
	for n in "$@"; do
		kill "${pids[$n]}"
		wait "${pids[$n]}" || true
		unset "pids[$n]"
	done
}
# rate URL CONNECTIONS measures for ten seconds.
rate() { "$loadgen" push --url "$1" --groups 1000 --conns "$2" --duration 10s 2>/dev/null | jq .pushes_per_s; }

echo "pushes/s, --bus.sync=$sync"
printf '%10s %14s %14s %8s %8s\n' alone "one of three" "all three" ratio ratio
for _ in $(seq "$rounds"); do
	rm -rf "${data:?}"/[123]
	launch 1 "$sync"
	ready 1
	alone=$(rate "$(url 1)" 12)
	stop 1
	rm -rf "${data:?}"/[123]
	for n in 1 2 3; do member $n "$sync"; done
	for n in 1 2 3; do ready $n; done
	current
	one=$(rate "$(url 1)" 12)
	spread=()
	for n in 1 2 3; do
		rate "$(url $n)" 4 >"$data/rate-$n" &
		spread+=($!)
	done
	wait "${spread[@]}"
	all=$(cat "$data"/rate-? | jq --slurp add)
	stop 1 2 3
	awk -v a="$alone" -v o="$one" -v s="$all" 'BEGIN {printf "%10.0f %14.0f %14.0f %8.2f %8.2f\n", a, o, s, o / a, s / a}'
done

rm -rf "${data:?}"/[123]
launch 1 interval
ready 1
"$loadgen" fill --url "$(url 1)" --groups "$groups" >/dev/null 2>&1
stop 1
begun=$(now)
for n in 1 2 3; do member $n "$sync"; done
for n in 1 2 3; do ready $n; done
echo "$groups groups: three are ready $(since "$begun") s after the start of one that brings them along"
current
printf '%10s %14s %s\n' ready/s current/s 'of a member with an empty data directory'
for _ in $(seq "$rounds"); do
	kill -9 "${pids[3]}"
	wait "${pids[3]}" 2>/dev/null || true
	rm -rf "${data:?}/3"
	begun=$(now)
	member 3 "$sync"
	ready 3
	isReady=$(since "$begun")
	current
	printf '%10s %14s\n' "$isReady" "$(since "$begun")"
done
