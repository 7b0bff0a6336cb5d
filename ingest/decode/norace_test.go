//go:build !race

package decode

// raceFactor is how much more the same code may allocate with the race detector.
const raceFactor = 1.0
