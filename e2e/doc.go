// Package e2e tests the whole program with real peers: the built binary, a
// Prometheus, a browser, the nats command line client, external NATS servers, and
// signals at bad moments. What a package's own test can do is not here.
//
// Variables of the environment:
//
//	E2E_BINARY  test this binary instead of building one
//	E2E_RACE    if 1, build the binary with the race detector
//	E2E_SEED    seed of everything random; the log of a test says which it used
//	E2E_ROUNDS  rounds of the crash loop
//	E2E_MINUTES  how long the soak breaks a cluster; it is skipped without
//	E2E_HISTORY  a soak's history.jsonl, to be decided once more instead
//	E2E_PUSHGATEWAY  compare the answers with this Pushgateway instead of Debian's
//
// A test that fails leaves its folder (data, logs, recorded history) in
// build/e2e-failures. What the page looks like in the browser that the tests use is
// in build/page-screenshots after each run, by page and by light, dark and phone.
package e2e
