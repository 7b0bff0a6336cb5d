# The clean-up of segmentfault.com/a/1190000041442728 and its many copies: groups
# that were pushed more than AGE seconds ago are deleted. It takes each group to
# have the labels job and instance and no others.

for uri in $(curl -sS "$GATEWAY/api/v1/metrics" | jq -r --argjson age "$AGE" '
	.data[].push_time_seconds |
	select((now - (.metrics[0].value | tonumber)) > $age) |
	(.metrics[0].labels as $labels | ["job", "instance"] | map(. + "/" + $labels[.]) | join("/"))
'); do
	curl -sS -X DELETE "$GATEWAY/metrics/$uri"
done
