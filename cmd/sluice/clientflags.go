package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"sluice/cmd/sluice/client"
	"sluice/store"
)

const (
	defaultURL = "http://localhost:9091"
	// Longer than --push.wait, so that a gateway which waits for its stream can
	// still answer.
	defaultClientTimeout = 10 * time.Second
)

// clientCommands returns the commands that ask a running gateway.
func clientCommands() []*cli.Command {
	commands := []*cli.Command{
		{
			Name: "push", Usage: "push metrics of a file, or of standard input, to a group", ArgsUsage: "[FILE|-]",
			Flags: joined(changeFlags(), pushFlags()), Action: pushAction,
		},
		{Name: "delete", Usage: "delete a group", ArgsUsage: " ", Flags: changeFlags(), Action: deleteAction},
		{Name: "groups", Usage: "list groups", ArgsUsage: " ", Flags: joined(httpFlags(), groupsFlags()), Action: groupsAction},
		{Name: "cluster", Usage: "show the copies of the stream, and whether the gateways agree", ArgsUsage: " ", Flags: joined(httpFlags(), clusterFlags()), Action: clusterAction},
	}
	for _, command := range commands {
		command.OnUsageError = func(_ *cli.Context, err error, _ bool) error { return err }
	}
	return commands
}

// httpFlags say how to reach gateways over HTTP.
func httpFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.GenericFlag{Name: "url", Value: &list{}, EnvVars: []string{"SLUICE_URL"}, DefaultText: defaultURL, Usage: "`addresses` of gateways, host:port or URL with the route prefix, separated by commas; the next one is asked when one does not answer; may be given several times"},
		&cli.DurationFlag{Name: "timeout", Value: defaultClientTimeout, Usage: "`time` for all tries together, of groups for each page"},
		&cli.StringFlag{Name: "http.config.file", Usage: "`file` with credentials, TLS and proxy settings of Prometheus' HTTP clients"},
		&cli.StringFlag{Name: "tls-ca", Usage: "`file` with the certificates to trust"},
		&cli.StringFlag{Name: "tls-cert", Usage: "client certificate `file`"},
		&cli.StringFlag{Name: "tls-key", Usage: "client key `file`"},
	}
	return withEnv(flags)
}

// natsFlags say how to reach gateways over NATS.
func natsFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.GenericFlag{Name: "nats", Value: &list{}, EnvVars: []string{"SLUICE_NATS"}, Usage: "`URLs` of the NATS servers of a cluster, separated by commas, to ask over NATS instead of HTTP; may be given several times"},
		&cli.StringFlag{Name: "creds", Usage: "NATS credentials `file`"},
		&cli.StringFlag{Name: "nkey", Usage: "NATS nkey seed `file`"},
		&cli.StringFlag{Name: "prefix", Value: defaultPrefix, Usage: "`prefix` of the gateways' subjects (their --bus.prefix)"},
	}
	return withEnv(flags)
}

// changeFlags are those of push and delete. The group can be named on the command
// line only: a variable left over in the environment would change a group by
// mistake.
func changeFlags() []cli.Flag {
	return joined(httpFlags(), natsFlags(), []cli.Flag{
		&cli.StringFlag{Name: "job", Usage: "`job` of the group"},
		&cli.GenericFlag{Name: "label", Value: &list{}, Usage: "`name=value` of a label of the group besides job; may be given several times"},
		&cli.StringFlag{Name: "group", Usage: "`path` of the group, /job/backup/instance/db1, instead of --job and --label"},
	})
}

// withEnv gives an environment variable to each flag that has none.
func withEnv(flags []cli.Flag) []cli.Flag {
	for _, f := range flags {
		if _, own := f.(*cli.GenericFlag); !own {
			addEnv(f)
		}
	}
	return flags
}

func joined(parts ...[]cli.Flag) (all []cli.Flag) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

// list is a flag that may be given several times, and whose values may have
// commas.
type list struct{ values []string }

// Set fills cli.Generic.
func (l *list) Set(value string) error {
	l.values = append(l.values, value)
	return nil
}

// String fills cli.Generic.
func (l *list) String() string { return strings.Join(l.values, " ") }

func listOf(c *cli.Context, name string) []string { return c.Generic(name).(*list).values }

// addressesOf returns the values of --url or --nats, and whether they come from the
// command line. Values of the environment are Set first.
func addressesOf(c *cli.Context, name string) (values []string, onLine bool) {
	values = listOf(c, name)
	if os.Getenv(envOf(c, name)) == "" {
		return values, len(values) > 0
	}
	if len(values) > 1 {
		return values[1:], true
	}
	return values, false
}

// onCommandLine tells whether a flag was given and is not in the environment, where
// it may be meant for other commands.
func onCommandLine(c *cli.Context, name string) bool {
	_, inEnv := os.LookupEnv(envOf(c, name))
	return c.IsSet(name) && !inEnv
}

// envOf returns the environment variable of a flag.
func envOf(c *cli.Context, name string) string {
	for _, f := range c.Command.Flags {
		if f, ok := f.(cli.DocGenerationFlag); ok && f.Names()[0] == name && len(f.GetEnvVars()) > 0 {
			return f.GetEnvVars()[0]
		}
	}
	return ""
}

func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		return fmt.Errorf("unexpected argument %q", c.Args().First())
	}
	return nil
}

// groupOf returns the path of the group that the flags name. The gateway checks it.
func groupOf(c *cli.Context) (string, error) {
	group, labels := c.String("group"), listOf(c, "label")
	switch {
	case c.IsSet("group") && (c.IsSet("job") || len(labels) > 0):
		return "", errors.New("--group names the whole group: --job and --label cannot go with it")
	case group != "":
		plain, err := url.PathUnescape(group)
		if err != nil {
			return "", fmt.Errorf("--group: %w", err)
		}
		return rooted((&url.URL{Path: plain, RawPath: group}).EscapedPath()), nil
	case !c.IsSet("job"):
		return "", errors.New("which group? --job and --label, or --group, say so")
	}
	var key []store.Label
	for _, text := range labels {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return "", fmt.Errorf("--label: %q is not name=value", text)
		}
		key = append(key, store.Label{Name: name, Value: value})
	}
	named, err := store.NewKey(c.String("job"), key...)
	if err != nil {
		return "", fmt.Errorf("--job, --label: %w", err)
	}
	return named.Path(), nil
}

func rooted(path string) string { return "/" + strings.TrimPrefix(path, "/") }

func newHTTP(c *cli.Context) (*client.HTTP, error) {
	urls, _ := addressesOf(c, "url")
	if len(urls) == 0 {
		urls = []string{defaultURL}
	}
	addresses, err := client.ParseAddresses(urls)
	if err != nil {
		return nil, fmt.Errorf("--url: %w", err)
	}
	timeout, err := timeoutOf(c)
	if err != nil {
		return nil, err
	}
	h, err := client.NewHTTP(client.HTTPConfig{
		Addresses: addresses, Timeout: timeout, ConfigFile: c.String("http.config.file"),
		TLSCA: c.String("tls-ca"), TLSCert: c.String("tls-cert"), TLSKey: c.String("tls-key"),
	})
	if err != nil {
		return nil, fmt.Errorf("cannot set up the HTTP client: %w", err)
	}
	return h, nil
}

func timeoutOf(c *cli.Context) (time.Duration, error) {
	if timeout := c.Duration("timeout"); timeout > 0 {
		return timeout, nil
	}
	return 0, errors.New("--timeout: must be positive")
}
