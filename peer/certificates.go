package peer

import (
	"crypto/tls"
	"fmt"
	"os"
	"strings"

	"github.com/seed-04209a44/peerd/exchange/websocket"
	"github.com/seed-04209a44/peerd/profiles"
)

// controllerTLS is nil without a certificate. Certificates of connectors are
// asked for, and judged by the controller, which tells of each refusal.
func controllerTLS(files profiles.TLSFiles) (*tls.Config, error) {
	if !files.Certified() {
		return nil, nil
	}
	stores, err := storesOf(files)
	if err != nil {
		return nil, err
	}
	conf, err := websocket.ServerTLS(stores)
	if err != nil {
		return nil, err
	}
	conf.NextProtos = []string{"http/1.1"} // WebSockets need it
	if conf.ClientCAs != nil {
		conf.ClientAuth = tls.RequestClientCert
	}
	return conf, nil
}

// connectorTLS is for wss; without files the system's authorities are trusted.
func connectorTLS(files profiles.TLSFiles) (*tls.Config, error) {
	stores, err := storesOf(files)
	if err != nil {
		return nil, err
	}
	return websocket.ClientTLS(stores)
}

// clientTLS is nil without files: then the URL says what is used.
func clientTLS(files profiles.TLSFiles) (*tls.Config, error) {
	if files == (profiles.TLSFiles{}) {
		return nil, nil
	}
	return connectorTLS(files)
}

// routeTLS is nil without a certificate: then routes are in the clear.
func routeTLS(files profiles.TLSFiles) (*tls.Config, error) {
	if !files.Certified() {
		return nil, nil
	}
	return connectorTLS(files) // the engine makes both ends of it
}

func storesOf(files profiles.TLSFiles) (s websocket.TLSSettings, err error) {
	if s.KeyStore, err = storeOf(files.KeyStore); err != nil {
		return s, fmt.Errorf("cannot read the key store: %w", err)
	}
	if s.TrustStore, err = storeOf(files.TrustStore); err != nil {
		return s, fmt.Errorf("cannot read the trust store: %w", err)
	}
	if files.Cert != "" {
		s.KeyStore = websocket.Store{Path: files.Cert, KeyPath: files.Key}
	}
	if files.CA != "" {
		s.TrustStore = websocket.Store{Path: files.CA}
	}
	return s, nil
}

// storeOf is a PKCS12 file with its password, which is in a file of its own.
func storeOf(files profiles.StoreFiles) (websocket.Store, error) {
	if files.Path == "" {
		return websocket.Store{}, nil
	}
	s := websocket.Store{Type: websocket.PKCS12, Path: files.Path}
	if files.PasswordFile != "" {
		password, err := os.ReadFile(files.PasswordFile)
		if err != nil {
			return s, err
		}
		s.Password = strings.TrimRight(string(password), "\r\n")
	}
	return s, nil
}
