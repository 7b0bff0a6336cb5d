package embed

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// accountName is the account that Sluice uses if a server's configuration
// defines several.
const accountName = "SLUICE"

// login is how our own connection shows the embedded server who it is.
type login struct {
	options []nats.Option
}

// serverLogin makes the login, and the user that it needs in the options: a
// fresh key pair that lives as long as this process. With private nobody else
// gets in, even if the configuration has no users.
func serverLogin(cfg Config, opts *server.Options, private bool) (login, error) {
	if cfg.OwnUser {
		return login{}, nil // whoever connects uses its own
	}
	if hasOperator(opts) || opts.AuthCallout != nil {
		return login{}, fmt.Errorf("NATS configuration %s leaves authentication to JWTs or a callout: Sluice needs --bus.creds or --bus.nkey to use its own server", cfg.ConfigFile)
	}
	account, err := ownAccount(cfg, opts)
	if err != nil {
		return login{}, err
	}
	if account == nil && !hasAuth(opts) && !private {
		return login{}, nil
	}
	if opts.Authorization != "" {
		return login{[]nats.Option{nats.Token(opts.Authorization)}}, nil
	}
	if opts.Username != "" {
		// The server looks at a single user only if it has no list of users.
		opts.Users = append(opts.Users, &server.User{Username: opts.Username, Password: opts.Password})
		opts.Username, opts.Password = "", ""
	}
	pair, err := nkeys.CreateUser()
	if err != nil {
		return login{}, fmt.Errorf("cannot make a user for the embedded NATS server: %w", err)
	}
	public, err := pair.PublicKey()
	if err != nil {
		return login{}, fmt.Errorf("cannot make a user for the embedded NATS server: %w", err)
	}
	opts.Nkeys = append(opts.Nkeys, &server.NkeyUser{Nkey: public, Account: account})
	return login{[]nats.Option{nats.Nkey(public, pair.Sign)}}, nil
}

// ownAccount returns the account of the configuration that is ours: the one
// named SLUICE, or the only one. nil is the server's own global account.
func ownAccount(cfg Config, opts *server.Options) (*server.Account, error) {
	var only *server.Account
	count := 0
	for _, a := range opts.Accounts {
		switch a.Name {
		case accountName:
			return a, nil
		case opts.SystemAccount, server.DEFAULT_SYSTEM_ACCOUNT, server.DEFAULT_GLOBAL_ACCOUNT:
		default:
			only = a
			count++
		}
	}
	if count > 1 {
		return nil, fmt.Errorf("NATS configuration %s has %d accounts: the one for Sluice must be named %s", cfg.ConfigFile, count, accountName)
	}
	return only, nil
}

// hasAuth tells whether clients must show who they are.
func hasAuth(opts *server.Options) bool {
	return len(opts.Users) > 0 || len(opts.Nkeys) > 0 || opts.Username != "" || opts.Authorization != "" ||
		opts.TLSVerify || opts.AuthCallout != nil || hasOperator(opts)
}

// hasOperator tells whether users are JWTs.
func hasOperator(opts *server.Options) bool {
	return len(opts.TrustedOperators) > 0 || len(opts.TrustedKeys) > 0
}
