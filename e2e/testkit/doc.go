// Package testkit holds the helpers that the tests of several packages share. Only
// tests import it, and it imports no other package of this module, so that each of
// them can use it.
package testkit
