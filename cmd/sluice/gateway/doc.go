// Package gateway runs a whole gateway: what is built from a configuration, what runs,
// and how it stops.
package gateway
