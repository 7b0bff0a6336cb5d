# What the pruning programs do: read push_time_seconds of the scrape, and delete
# the groups that are older than AGE seconds by all their labels.

now=$(date +%s)
curl -sS "$GATEWAY/metrics" | grep '^push_time_seconds{' | while read -r series pushed; do
	if awk "BEGIN { exit !($now - $pushed > $AGE) }"; then
		labels=$(echo "$series" | sed -e 's/^push_time_seconds{//' -e 's/}$//' -e 's/"//g' -e 's/instance=,//')
		job=$(echo "$labels" | tr ',' '\n' | sed -n 's/^job=//p')
		others=$(echo "$labels" | tr ',' '\n' | sed -e '/^job=/d' -e 's|=|/|' | tr '\n' '/' | sed 's|/$||')
		curl -sS -X DELETE "$GATEWAY/metrics/job/$job${others:+/$others}"
	fi
done
