// Package check loads the files of deploy with the programs that they are for.
// Docker and Compose need a daemon, so their files are loaded with the packages of
// these programs instead. The checks are a module of their own, so that Sluice does
// not depend on those packages.
//
// Tests in e2e start what the files describe.
package check
