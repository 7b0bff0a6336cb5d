// Package check loads the files of deploy with the programs that they are for,
// or with these programs' own packages where running them needs a daemon: a
// Dockerfile cannot be built, nor a Compose file brought up, without one. It is
// a module of its own, so that Sluice itself does not depend on any of them.
//
// That what the files start does start is tested in e2e.
package check
