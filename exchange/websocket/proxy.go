package websocket

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
)

// tunnelDialer returns a dial function for http endpoints behind a proxy. The
// standard transport asks a proxy for a tunnel for https only; a WebSocket needs
// one always, as proxies do not forward an upgrade.
func tunnelDialer(proxy func(*http.Request) (*url.URL, error), target *url.URL) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		via, err := proxy(&http.Request{URL: target})
		if err != nil {
			return nil, fmt.Errorf("cannot choose a proxy: %w", err)
		}
		if via == nil {
			return reach(ctx, network, address)
		}
		conn, err := reach(ctx, "tcp", proxyAddress(via))
		if err != nil {
			return nil, fmt.Errorf("cannot reach the proxy: %w", err)
		}
		unhook := context.AfterFunc(ctx, func() { conn.Close() })
		defer unhook()
		if err := connect(conn, via, address); err != nil {
			conn.Close()
			return nil, fmt.Errorf("proxy %s: %w", via.Host, err)
		}
		return conn, nil
	}
}

// proxyAddress is host and port of a proxy, whose default is 3128.
func proxyAddress(via *url.URL) string {
	if via.Port() == "" {
		return net.JoinHostPort(via.Hostname(), "3128")
	}
	return via.Host
}

// connect asks for a tunnel to address.
func connect(conn net.Conn, via *url.URL, address string) error {
	req := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if via.User != nil {
		password, _ := via.User.Password()
		token := base64.StdEncoding.EncodeToString([]byte(via.User.Username() + ":" + password))
		req.Header.Set("Proxy-Authorization", "Basic "+token)
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	// The other side speaks only when spoken to, so no byte of it can be read
	// into this buffer and lost.
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("no tunnel to %s: %s", address, resp.Status)
	}
	return nil
}
