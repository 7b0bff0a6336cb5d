#!/usr/bin/env bash
# Measures the first page that people see with GROUPS groups of five series, in
# Chromium: of Sluice, and of Debian's Pushgateway with the same groups, in turn.
# ROUNDS times until the first row is seen, and WHOLE times until the document is
# complete, which takes Pushgateway's minutes. Prints seconds of both, MB that came,
# and elements; then the medians.
#
#     page-bench.sh BINARY LOADGEN [GROUPS [ROUNDS [WHOLE]]]
set -euo pipefail
binary=$1 loadgen=$2 groups=${3:-50000} rounds=${4:-15} whole=${5:-3}
sluice=127.0.0.1:19393 pushgateway=127.0.0.1:19394
data=$(mktemp -d)
pids=()
finish() { kill "${pids[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$data"; }
trap finish EXIT
export NODE_PATH=$PWD/build/node/node_modules
chromium=$(command -v chromium)

"$binary" serve --web.listen-address=$sluice --bus.data-dir="$data/sluice" --bus.sync=interval >"$data/sluice.log" 2>&1 &
pids+=($!)
# Without the check a push costs the same however many groups there are, else filling takes hours.
prometheus-pushgateway --web.listen-address=$pushgateway --persistence.file= --push.disable-consistency-check >"$data/pushgateway.log" 2>&1 &
pids+=($!)
for address in $sluice $pushgateway; do
	until curl --silent --fail --output /dev/null http://$address/-/ready; do
		kill -0 "${pids[@]}" || { tail -5 "$data"/*.log >&2; exit 1; }
		sleep 0.05
	done
	"$loadgen" fill --url http://$address --groups "$groups" --series 5 >/dev/null 2>&1
done

# look NAME URL ROW [rows] adds one measurement to the results.
look() {
	node e2e/node/page/paint.js "$chromium" "${@:2}" | jq --compact-output --arg name "$1" '{name: $name} + .' >>"$data/results"
	tail -1 "$data/results" | jq --raw-output '[.name, .rows_ms / 1000, (.complete_ms // 0) / 1000, (.bytes // 0) / 1e6, .elements // "-"] | @tsv' |
		awk -F '\t' '{printf "%-12s %10.2f %12s %12s %10s\n", $1, $2, $3 ? sprintf("%.2f", $3) : "-", $4 ? sprintf("%.3f", $4) : "-", $5}'
}
pair() {
	look sluice http://$sluice/ '[data-testid=group]' "$@"
	look pushgateway http://$pushgateway/ '#job-accordion > .card' "$@"
}
echo "$groups groups"
printf '%-12s %10s %12s %12s %10s\n' page rows/s complete/s MB elements
for _ in $(seq "$rounds"); do pair rows; done
for _ in $(seq "$whole"); do pair; done
jq --slurp --raw-output '
	def median: map(select(. != null)) | sort | .[length / 2 | floor];
	def of($name; $field): map(select(.name == $name) | .[$field]);
	def ratio($field): [of("pushgateway"; $field), of("sluice"; $field)] | transpose | map(select(all(. != null)) | .[0] / .[1]) | median;
	. as $all | "median", "sluice", "pushgateway", "ratio" | . as $row |
	if $row == "median" then [$row, "rows, ms", "complete, ms", "bytes"]
	elif $row == "ratio" then [$row] + ($all | [ratio("rows_ms"), ratio("complete_ms"), ratio("bytes")] | map(. * 10 | round / 10))
	else [$row] + ($all | [of($row; "rows_ms"), of($row; "complete_ms"), of($row; "bytes")] | map(median | round)) end | @tsv' "$data/results" |
	awk -F '\t' '{printf "%-12s %10s %14s %12s\n", $1, $2, $3, $4}'
