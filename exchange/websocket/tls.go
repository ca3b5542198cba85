package websocket

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"

	"software.sslmate.com/src/go-pkcs12"
)

// StoreType is the form of a file of certificates.
type StoreType string

// The forms that are read.
const (
	PEM    StoreType = "PEM"
	PKCS12 StoreType = "PKCS12"
)

// TLSSettings say whom to trust and who one is, as configuration files have it.
// The zero value trusts the system's authorities and shows no certificate.
type TLSSettings struct {
	KeyStore   Store // the own certificate and key
	TrustStore Store // authorities to trust instead of the system's
	// TrustAll accepts any certificate, which protects from nobody who is in the way.
	TrustAll bool
	// AnyHost accepts a trusted certificate of another host name.
	AnyHost bool
}

// Store is one source of certificates.
type Store struct {
	Type     StoreType // default PEM
	Path     string    // of a file; for PEM key stores the certificate chain
	KeyPath  string    // of the key of a PEM key store; default Path
	Content  string    // base64 of what would be in the file, instead of Path
	Password string    // of PKCS12
}

func (s Store) empty() bool { return s.Path == "" && s.Content == "" }

// bytes returns the file's or the setting's content.
func (s Store) bytes(path string) ([]byte, error) {
	if s.Content == "" {
		return os.ReadFile(path)
	}
	data, err := base64.StdEncoding.DecodeString(s.Content)
	if err != nil {
		return nil, fmt.Errorf("content is not base64: %w", err)
	}
	return data, nil
}

// ClientTLS returns the TLS configuration of a connector.
func ClientTLS(s TLSSettings) (*tls.Config, error) {
	conf, err := s.config()
	if err != nil {
		return nil, err
	}
	conf.RootCAs, err = s.TrustStore.pool()
	if err != nil {
		return nil, fmt.Errorf("cannot read the trust store: %w", err)
	}
	switch {
	case s.TrustAll:
		conf.InsecureSkipVerify = true
	case s.AnyHost:
		conf.InsecureSkipVerify = true // replaced by the check below, which leaves out the name
		conf.VerifyConnection = chainOnly(conf.RootCAs)
	}
	return conf, nil
}

// ServerTLS returns the TLS configuration of a controller, which needs a key
// store. With a trust store a connector must show a certificate of it.
func ServerTLS(s TLSSettings) (*tls.Config, error) {
	if s.KeyStore.empty() {
		return nil, errors.New("cannot serve TLS: a controller needs a key store")
	}
	conf, err := s.config()
	if err != nil {
		return nil, err
	}
	conf.ClientCAs, err = s.TrustStore.pool()
	if err != nil {
		return nil, fmt.Errorf("cannot read the trust store: %w", err)
	}
	if conf.ClientCAs != nil {
		conf.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return conf, nil
}

func (s TLSSettings) config() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS13}
	if s.KeyStore.empty() {
		return conf, nil
	}
	cert, err := s.KeyStore.certificate()
	if err != nil {
		return nil, fmt.Errorf("cannot read the key store: %w", err)
	}
	conf.Certificates = []tls.Certificate{cert}
	return conf, nil
}

// certificate reads a key and the certificates that go with it.
func (s Store) certificate() (tls.Certificate, error) {
	data, err := s.bytes(s.Path)
	if err != nil {
		return tls.Certificate{}, err
	}
	switch s.Type {
	case PEM, "":
		key := data
		if s.KeyPath != "" {
			if key, err = os.ReadFile(s.KeyPath); err != nil {
				return tls.Certificate{}, err
			}
		}
		return tls.X509KeyPair(data, key)
	case PKCS12:
		key, leaf, chain, err := pkcs12.DecodeChain(data, s.Password)
		if err != nil {
			return tls.Certificate{}, err
		}
		cert := tls.Certificate{PrivateKey: key, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
		for _, c := range chain {
			cert.Certificate = append(cert.Certificate, c.Raw)
		}
		return cert, nil
	}
	return tls.Certificate{}, s.unknownType()
}

// pool reads the authorities of a trust store; nil if there is none.
func (s Store) pool() (*x509.CertPool, error) {
	if s.empty() {
		return nil, nil
	}
	data, err := s.bytes(s.Path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	switch s.Type {
	case PEM, "":
		if !pool.AppendCertsFromPEM(data) {
			return nil, errors.New("no PEM certificate in it")
		}
	case PKCS12:
		certs, err := pkcs12.DecodeTrustStore(data, s.Password)
		if err != nil {
			return nil, err
		}
		for _, c := range certs {
			pool.AddCert(c)
		}
	default:
		return nil, s.unknownType()
	}
	return pool, nil
}

func (s Store) unknownType() error {
	return fmt.Errorf("type %q is not known: use %s or %s", s.Type, PEM, PKCS12)
}

// chainOnly verifies a certificate as usual, but for the host's name.
func chainOnly(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		intermediates := x509.NewCertPool()
		for _, c := range state.PeerCertificates[1:] {
			intermediates.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
		return err
	}
}
