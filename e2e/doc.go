// Package e2e tests the whole program with real peers: the built binary, a Prometheus, a
// browser, the nats command line client, external NATS servers, and signals at bad
// moments. It does not repeat what the tests of a package can do.
//
// Variables of the environment:
//
//	E2E_BINARY  test this binary instead of building one
//	E2E_RACE    if 1, build the binary with the race detector
//	E2E_SEED    seed of everything random; the log of a test says which it used
//	E2E_ROUNDS  rounds of the crash loop
//	E2E_MINUTES  how long the soak injects faults; it injects one without
//	E2E_HISTORY  a soak's history.jsonl; the soak then only decides it once more
//	E2E_PUSHGATEWAY  compare the answers with this Pushgateway instead of Debian's
//
// A test that fails leaves its folder (data, logs, recorded history) in
// build/e2e-failures. Each run leaves screenshots of the page in
// build/page-screenshots, by page and by light, dark and phone.
package e2e
