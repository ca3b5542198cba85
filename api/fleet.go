package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/seed-04209a44/peerd/control"
)

// FleetOptions of a FleetClient; the zero value asks a controller without TLS.
type FleetOptions struct {
	// Identifier of the controller; "" is the default one.
	Identifier string
	TLS        *tls.Config
}

// FleetClient asks a controller about its fleet. Its errors are those of a
// Client. Its methods may be called from any goroutine.
type FleetClient struct {
	http    *http.Client
	base    string // with the path of the exchange
	address string // for messages
}

// NewFleetClient makes a client of the controller at a URL of http, https, ws or
// wss, with the prefix of its paths if it has one. It connects when it is used.
func NewFleetClient(address string, o FleetOptions) (*FleetClient, error) {
	u, err := url.Parse(address)
	if err == nil && u.User != nil {
		return nil, control.Errorf(control.CodeUsage, "cannot use %s as a controller: credentials do not belong into the URL; --cert and --key say who you are", u.Redacted())
	}
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || fleetSchemes[u.Scheme] == "" {
		return nil, control.Errorf(control.CodeUsage, "cannot use %q as a controller: it must be an http or https URL of a host, with at most a path", address)
	}
	u.Scheme = fleetSchemes[u.Scheme]
	base := strings.TrimSuffix(u.String(), "/") + "/exchange"
	if o.Identifier != "" && o.Identifier != "exchange" {
		base += "/" + url.PathEscape(o.Identifier)
	}
	return &FleetClient{
		http: &http.Client{Transport: &http.Transport{TLSClientConfig: o.TLS}},
		base: base, address: address,
	}, nil
}

var fleetSchemes = map[string]string{"http": "http", "https": "https", "ws": "http", "wss": "https"}

// Close closes idle connections.
func (f *FleetClient) Close() { f.http.CloseIdleConnections() }

// Do asks one of the management endpoints: path begins behind the exchange's, as
// /targets. body (nil: none) is sent as JSON, the answer decoded into resp (nil:
// dropped). It blocks until the answer or ctx's end.
func (f *FleetClient) Do(ctx context.Context, method, path string, body, resp any) error {
	answer, err := f.send(ctx, method, path, body, typeJSON)
	if err != nil {
		return err
	}
	defer answer.Close()
	b, err := io.ReadAll(io.LimitReader(answer, maxAnswer))
	if err != nil {
		return f.broken(ctx, err)
	}
	if resp == nil {
		return nil
	}
	if err := json.Unmarshal(b, resp); err != nil {
		return control.Errorf(control.CodeFailed, "cannot read the controller's answer to %s %s: %v", method, path, err)
	}
	return nil
}

// send makes a request and returns the body of a success.
func (f *FleetClient) send(ctx context.Context, method, path string, body any, accept string) (io.ReadCloser, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, control.Errorf(control.CodeUsage, "cannot encode the request: %v", err)
		}
		content = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, f.base+path, content)
	if err != nil {
		return nil, control.Errorf(control.CodeUsage, "cannot ask %s: %v", f.address, err)
	}
	r.Header.Set("Accept", accept)
	if body != nil {
		r.Header.Set("Content-Type", typeJSON)
	}
	resp, err := f.http.Do(r)
	if err != nil {
		return nil, f.broken(ctx, err)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, f.broken(ctx, err)
	}
	return nil, f.refusal(resp.StatusCode, b)
}

// refusal is what the controller says of a request that it did not carry out:
// {code, message}.
func (f *FleetClient) refusal(status int, body []byte) error {
	var said struct {
		Message string `json:"message"`
	}
	message := http.StatusText(status)
	if json.Unmarshal(body, &said) == nil && said.Message != "" {
		message = said.Message
	}
	return control.Errorf(fleetCode(status), "the controller at %s: %s", f.address, message)
}

// fleetCode is the code of an answer of the controller itself.
func fleetCode(status int) control.Code {
	switch status {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType:
		return control.CodeUsage
	case http.StatusUnauthorized, http.StatusForbidden:
		return control.CodeRefused
	case http.StatusNotFound:
		return control.CodeNotFound
	case http.StatusGatewayTimeout:
		return control.CodeTimeout
	case http.StatusGone, http.StatusServiceUnavailable:
		return control.CodeUnreachable
	case http.StatusUnprocessableEntity:
		return control.CodeInvalid
	}
	return control.CodeFailed
}

// broken explains a connection that failed.
func (f *FleetClient) broken(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		return control.Errorf(control.CodeTimeout, "no answer by way of the controller at %s in time: --timeout sets how long to wait", f.address)
	case errors.Is(err, context.Canceled):
		return context.Canceled
	}
	why := err
	var sys syscall.Errno
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &certificate):
		return control.Errorf(control.CodeRefused, "the certificate of the controller at %s is not trusted: %v: --ca names the authority", f.address, certificate.Err)
	case errors.As(err, &sys):
		why = sys
	}
	return control.Errorf(control.CodeUnreachable, "cannot reach a controller at %s: %v", f.address, why)
}
