#!/usr/bin/env bash
# Measures the first page that people see with GROUPS groups of five series, in
# Chromium: of Sluice, and of Debian's Pushgateway with the same groups, in turn,
# ROUNDS times. Prints seconds until the first row is seen and until the document
# is complete, MB that came, and elements; then the medians.
#
#     page-bench.sh BINARY LOADGEN [GROUPS [ROUNDS]]
set -euo pipefail
binary=$1 loadgen=$2 groups=${3:-50000} rounds=${4:-5}
sluice=127.0.0.1:19391 pushgateway=127.0.0.1:19392
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

# look NAME URL ROW adds one measurement to the results.
look() {
	node e2e/node/page/paint.js "$chromium" "$2" "$3" | jq --compact-output --arg name "$1" '{name: $name} + .' >>"$data/results"
	tail -1 "$data/results" | jq --raw-output '[.name, .rows_ms / 1000, (.complete_ms // "-" | if type == "number" then . / 1000 else . end), (.bytes // 0) / 1e6, .elements // "-"] | @tsv' |
		awk -F '\t' '{printf "%-12s %10.2f %12s %12.3f %10s\n", $1, $2, $3 == "-" ? "never" : sprintf("%.2f", $3), $4, $5}'
}
echo "$groups groups"
printf '%-12s %10s %12s %12s %10s\n' page rows/s complete/s MB elements
for _ in $(seq "$rounds"); do
	look sluice http://$sluice/ '[data-testid=group]'
	look pushgateway http://$pushgateway/ '#job-accordion > .card'
done
echo medians
jq --slurp --raw-output '
	def median: sort | if length == 0 then "-" else .[length / 2 | floor] end;
	group_by(.name)[] | [.[0].name, ([.[].rows_ms] | median), ([.[].complete_ms | values] | median), ([.[].bytes | values] | median)] | @tsv' "$data/results" |
	awk -F '\t' '{printf "%-12s rows after %.0f ms, complete after %.0f ms, %.0f bytes\n", $1, $2, $3, $4}'
