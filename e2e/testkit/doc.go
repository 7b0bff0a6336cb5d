// Package testkit holds the helpers that the tests of several packages share. Only
// tests import it. It imports no package of this module except store, so that the
// tests of all other packages can use it.
package testkit
