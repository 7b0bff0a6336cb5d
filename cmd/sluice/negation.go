package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// withoutNegations turns --no-X into --X=false for each boolean flag X, as
// Pushgateway's command line allows. Arguments behind "--" are no flags.
func withoutNegations(args []string, flags []cli.Flag) []string {
	args = slices.Clone(args)
	for i, arg := range args {
		if arg == "--" {
			break
		}
		name, ok := strings.CutPrefix(arg, "--no-")
		if ok && slices.ContainsFunc(flags, func(f cli.Flag) bool {
			_, isBool := f.(*cli.BoolFlag)
			return isBool && f.Names()[0] == name
		}) {
			args[i] = "--" + name + "=false"
		}
	}
	return args
}
