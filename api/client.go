package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/seed-04209a44/peerd/control"
)

// maxAnswer bounds one answer, and one frame of a stream.
const maxAnswer = 64 << 20

// Client calls a peer's operations. Its errors are *control.Error, with
// CodeUnreachable when no peer answers, except for a context that was
// cancelled: that is context.Canceled.
type Client struct {
	http    *http.Client
	base    string
	address string // for messages
}

// NewClient makes a client of the peer at address: the path of a unix socket,
// or an http:// or https:// URL. It connects when it is used.
func NewClient(address string) *Client {
	if strings.HasPrefix(address, "http://") || strings.HasPrefix(address, "https://") {
		return &Client{http: &http.Client{}, base: strings.TrimSuffix(address, "/"), address: address}
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", address)
	}
	return &Client{http: &http.Client{Transport: &http.Transport{DialContext: dial}}, base: "http://peerd", address: address}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Call runs the operation with that command type and decodes its answer into
// resp (nil: dropped). It blocks until the answer or ctx's end.
func (c *Client) Call(ctx context.Context, typ string, req, resp any) error {
	return c.persist(ctx, req, func(req any) error { return c.call(ctx, typ, req, resp) })
}

func (c *Client) persist(ctx context.Context, req any, ask func(req any) error) error {
	return persist(ctx, req, func(req any) error {
		err := ask(req)
		if _, again := control.ToAskAgain(err); again {
			c.Close() // the connection's other end is about to go
		}
		return err
	})
}

// persist asks again as long as a peer asks for it, because it becomes another
// program: the request then goes on where it was left.
func persist(ctx context.Context, req any, ask func(req any) error) error {
	for {
		err := ask(req)
		resume, again := control.ToAskAgain(err)
		if !again || ctx.Err() != nil {
			return err
		}
		fields, fault := fieldsOf(req)
		if fault != nil {
			return err
		}
		maps.Copy(fields, resume)
		maps.DeleteFunc(fields, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
		req = fields
	}
}

func (c *Client) call(ctx context.Context, typ string, req, resp any) error {
	body, err := c.send(ctx, typ, req, typeJSON)
	if err != nil {
		return err
	}
	defer body.Close()
	b, err := io.ReadAll(io.LimitReader(body, maxAnswer))
	if err != nil {
		return c.broken(ctx, err)
	}
	if resp == nil {
		return nil
	}
	if err := json.Unmarshal(b, resp); err != nil {
		return control.Errorf(control.CodeFailed, "cannot read the answer to %s: %v", typ, err)
	}
	return nil
}

// Stream runs the operation and hands each intermediate reply to each, in
// order; an error from each ends the stream and is returned. The result is the
// terminal reply's payload.
func (c *Client) Stream(ctx context.Context, typ string, req any, each func(item json.RawMessage) error) (result json.RawMessage, err error) {
	err = c.persist(ctx, req, func(req any) (err error) {
		result, err = c.stream(ctx, typ, req, each)
		return err
	})
	return result, err
}

func (c *Client) stream(ctx context.Context, typ string, req any, each func(item json.RawMessage) error) (json.RawMessage, error) {
	body, err := c.send(ctx, typ, req, typeNDJSON)
	if err != nil {
		return nil, err
	}
	defer body.Close() // before the stream's end it tells the peer to stop
	frames := json.NewDecoder(body)
	for {
		var f struct {
			Progress, Result json.RawMessage
			Error            *control.Error
			CutOff           *failure
		}
		switch err := frames.Decode(&f); {
		case errors.Is(err, io.EOF):
			return nil, control.Errorf(control.CodeUnreachable, "the peer at %s ended the stream of %s without a result: it may have stopped", c.address, typ)
		case err != nil:
			return nil, c.broken(ctx, err)
		case f.Error != nil:
			return nil, f.Error
		case f.CutOff != nil:
			return nil, f.CutOff.Error
		case f.Result != nil:
			return f.Result, nil
		}
		if err := each(f.Progress); err != nil {
			return nil, err
		}
	}
}

// send makes the request and returns the body of a success.
func (c *Client) send(ctx context.Context, typ string, req any, accept string) (io.ReadCloser, error) {
	r, err := newRequest(ctx, c.base, typ, req)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", accept)
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	var f failure
	if json.Unmarshal(b, &f) != nil || f.Error == nil || f.Error.Code == "" {
		return nil, control.Errorf(control.CodeFailed, "%s answered %s, which is no peer's answer", c.address, resp.Status)
	}
	return nil, f.Error
}

// broken explains a connection that failed.
func (c *Client) broken(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		return control.Errorf(control.CodeTimeout, "no answer from the peer at %s in time: --timeout sets how long to wait", c.address)
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, os.ErrPermission):
		return control.Errorf(control.CodeRefused, "the socket %s may not be opened by uid %d: ask for a rule in the profile's peer.access and for the socket's folder to be opened", c.address, os.Getuid())
	}
	why := err
	var sys syscall.Errno
	if errors.As(err, &sys) {
		why = sys
	}
	return control.Errorf(control.CodeUnreachable, "cannot reach a peer at %s: %v: is `peerd run` up? --socket names another socket", c.address, why)
}
