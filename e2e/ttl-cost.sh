#!/usr/bin/env bash
# Measures what a time to live costs: GROUPS groups of 20 series with one and
# without, in turn, on this machine. Prints pushes a second from eight connections,
# resident bytes a series, and seconds from start to ready.
#
#     ttl-cost.sh BINARY LOADGEN [GROUPS [ROUNDS]]
set -euo pipefail
binary=$1 loadgen=$2 groups=${3:-100000} rounds=${4:-3}
address=127.0.0.1:19291
data=$(mktemp -d)
trap 'kill "${pid:-}" 2>/dev/null || true; rm -rf "$data"' EXIT

start() {
	"$binary" serve --web.listen-address=$address --bus.data-dir="$data" --bus.sync=interval --group.ttl="$1" >"$data.log" 2>&1 &
	pid=$!
	until curl --silent --fail --output /dev/null http://$address/-/ready; do
		kill -0 $pid || { cat "$data.log" >&2; exit 1; }
		sleep 0.02
	done
}

printf '%-6s %10s %14s %10s\n' ttl pushes/s bytes/series ready/s
for _ in $(seq "$rounds"); do
	for ttl in never 24h; do
		rm -rf "${data:?}"/*
		start $ttl
		"$loadgen" fill --url http://$address --groups "$groups" >/dev/null 2>&1
		rate=$("$loadgen" push --url http://$address --groups "$groups" --duration 10s 2>/dev/null | sed -n 's/.*"pushes_per_s":\([0-9.]*\).*/\1/p')
		resident=$(awk '/^VmRSS/ {print $2 * 1024}' /proc/$pid/status)
		kill -9 $pid
		wait $pid 2>/dev/null || true
		begun=$(date +%s.%N)
		start $ttl
		ready=$(awk -v a="$begun" -v b="$(date +%s.%N)" 'BEGIN {print b - a}')
		kill $pid
		wait $pid || true
		printf '%-6s %10s %14.0f %10.2f\n' $ttl "$rate" "$(awk -v r="$resident" -v g="$groups" 'BEGIN {print r / g / 20}')" "$ready"
	done
done
