# How the tutorials clean up behind a job.

curl -s -X DELETE "$GATEWAY/metrics/job/some_job/instance/some_instance"
curl -s -X DELETE "$GATEWAY/metrics/job/never/instance/pushed"
