package cluster

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
)

// Login is with what a client says who it is to servers elsewhere: Credentials,
// Nkey, or User and PasswordFile. No secret is kept: the files are read at each
// connection, so that they may change.
type Login struct {
	Credentials  string // file of a NATS user (.creds)
	Nkey         string // file with the seed of a user's key
	User         string
	PasswordFile string // its last newlines do not count
}

// options are those of a client; they fail if a file cannot be read.
func (l Login) options() ([]nats.Option, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	switch {
	case l.Credentials != "":
		return []nats.Option{nats.UserCredentials(l.Credentials)}, nil
	case l.Nkey != "":
		key, err := nats.NkeyOptionFromSeed(l.Nkey)
		if err != nil { // it does not name the file
			return nil, fmt.Errorf("cannot read the nkey of %s: %w", l.Nkey, err)
		}
		return []nats.Option{key}, nil
	case l.User != "":
		return []nats.Option{nats.UserInfoHandler(func() (string, string) {
			password, _ := l.password() // without it the servers refuse, and trouble tells why
			return l.User, password
		})}, nil
	}
	return nil, nil
}

func (l Login) password() (string, error) {
	password, err := os.ReadFile(l.PasswordFile)
	return strings.TrimRight(string(password), "\r\n"), err
}

// check tells of files that are not there to be read.
func (l Login) check() error {
	for _, file := range []string{l.Credentials, l.Nkey, l.PasswordFile} {
		if file == "" {
			continue
		}
		if _, err := os.ReadFile(file); err != nil {
			return fmt.Errorf("cannot read who this controller is to the NATS servers: %w", err)
		}
	}
	if l.User != "" && l.PasswordFile == "" {
		return errors.New("user " + l.User + " has no password: set passwordFile")
	}
	return nil
}

// String names what is shown to the servers, without its secret.
func (l Login) String() string {
	switch {
	case l.Credentials != "":
		return "the credentials of " + l.Credentials
	case l.Nkey != "":
		return "the nkey of " + l.Nkey
	case l.User != "":
		return "user " + l.User + " with the password of " + l.PasswordFile
	}
	return "nobody"
}
