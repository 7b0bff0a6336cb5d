# The lines that the usual tutorials let cron run. GATEWAY is its address.

cat <<END | curl --silent --show-error --fail --data-binary @- "$GATEWAY/metrics/job/some_job/instance/some_instance"
# TYPE some_metric counter
some_metric{label="val1"} 42
# TYPE another_metric gauge
# HELP another_metric Just an example.
another_metric 2398.283
END

echo "backup_last_success 1732462983" | curl -s --data-binary @- "$GATEWAY/metrics/job/backup/instance/$(hostname)"
echo "backup_bytes 4096" | curl -s -X PUT --data-binary @- "$GATEWAY/metrics/job/backup/type/full"
