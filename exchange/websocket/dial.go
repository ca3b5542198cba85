package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// path is where a controller listens, below its prefix.
const path = "/exchange/controller"

// legacyPath is where, and below which, it speaks the legacy protocol only.
const legacyPath = "/ws/controller"

// IsConnectorPath tells whether a path, without a controller's prefix, is one
// that connectors dial.
func IsConnectorPath(p string) bool {
	return strings.TrimSuffix(p, "/") == path || strings.HasPrefix(p+"/", legacyPath+"/")
}

// DialOptions of a connector; the zero value is usable.
type DialOptions struct {
	Options
	Protocol Protocol                              // default V1
	Header   http.Header                           // of the upgrade request, beside the protocol
	TLS      *tls.Config                           // of https endpoints; TLS 1.3 unless it says otherwise
	Proxy    func(*http.Request) (*url.URL, error) // default none; http.ProxyFromEnvironment is the system's. http proxies are asked for a tunnel
}

// Dial connects to the controller at endpoint, an http or https URL whose path,
// if any, is the controller's prefix. ctx bounds the connecting only, of which a
// address that does not answer at all takes five seconds. A refused upgrade is a
// *StatusError.
func Dial(ctx context.Context, endpoint string, o DialOptions) (*Conn, error) {
	target, err := URL(endpoint)
	if err != nil {
		return nil, err
	}
	if o.Protocol == "" {
		o.Protocol = V1
	}
	header := o.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set(ProtocolHeader, string(o.Protocol))
	header.Set(clockHeader, clockNow())
	transport := newTransport(o, target)
	defer transport.CloseIdleConnections()
	ws, resp, err := websocket.Dial(ctx, target.String(), &websocket.DialOptions{ //nolint:bodyclose // it closes or replaces the body itself
		HTTPClient:      &http.Client{Transport: transport, CheckRedirect: noRedirect},
		HTTPHeader:      header,
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil && resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, &StatusError{Endpoint: endpoint, Code: resp.StatusCode}
	}
	if err != nil {
		return nil, fmt.Errorf("cannot connect to %s: %w", endpoint, err)
	}
	return newConn(ws, o.Protocol, resp.Header, o.Options), nil
}

// URL returns the address that Dial connects to for an endpoint. Its errors do
// not repeat what may be a password.
func URL(endpoint string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimSpace(endpoint))
	switch {
	case err != nil:
		return nil, errors.New("cannot read endpoint: it is not a URL")
	case u.User != nil:
		return nil, fmt.Errorf("cannot use endpoint %s: credentials belong into a header, not into the URL", u.Redacted())
	case (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("cannot use endpoint %q: it must be an http or https URL of a host, with at most a path", endpoint)
	}
	u.Path = strings.TrimRight(u.Path, "/") + path
	u.RawPath = ""
	return u, nil
}

// StatusError is an upgrade that the controller refused.
type StatusError struct {
	Endpoint string
	Code     int // HTTP status
}

// Error names the endpoint and the status.
func (e *StatusError) Error() string {
	return fmt.Sprintf("cannot connect to %s: the controller answers %d %s", e.Endpoint, e.Code, http.StatusText(e.Code))
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// connectTimeout is how long an address has to take a connection. The kernel does
// that for a controller, however busy it is; a host that has gone without a word
// never answers, and another one could be asked meanwhile.
const connectTimeout = 5 * time.Second

// reach dials the addresses of a host one after the other. To find them is bounded
// by ctx only: with several name servers it may take longer.
func reach(ctx context.Context, network, address string) (conn net.Conn, err error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	all, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: connectTimeout}
	for _, ip := range all {
		if conn, err = d.DialContext(ctx, network, net.JoinHostPort(ip, port)); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

func newTransport(o DialOptions, target *url.URL) *http.Transport {
	conf := o.TLS.Clone()
	if conf == nil {
		conf = &tls.Config{}
	}
	if conf.MinVersion == 0 {
		conf.MinVersion = tls.VersionTLS13
	}
	t := &http.Transport{TLSClientConfig: conf, DialContext: reach}
	switch {
	case o.Proxy == nil:
	case target.Scheme == "http":
		t.DialContext = tunnelDialer(o.Proxy, target)
	default:
		t.Proxy = o.Proxy
	}
	return t
}
