package exchange

import (
	"fmt"
	"io"
)

// Types of the commands with which a controller and a connector keep their
// channel; the payloads are below.
const (
	TypeHello       = "HELLO"        // connector → controller, first of all
	TypeGoodBye     = "GOOD_BYE"     // controller → connector, last of all
	TypeHealthCheck = "HEALTH_CHECK" // controller → connector
	TypePrimary     = "PRIMARY"      // controller → connector
)

// Hello is the payload of HELLO both ways. The connector proposes a target; the
// controller's reply has the last word.
type Hello struct {
	TargetID string `json:"targetId"`
	ID       string `json:"id,omitempty"` // of the connector, stable over reconnects
}

// GoodBye is the payload of GOOD_BYE; its reply has TargetID only.
type GoodBye struct {
	TargetID  string `json:"targetId"`
	Reconnect bool   `json:"reconnect"`
}

// Health is the payload of the reply to HEALTH_CHECK.
type Health struct {
	Healthy bool   `json:"healthy"`
	Detail  string `json:"detail,omitempty"`
}

// Primary is the payload of PRIMARY. A term lower than one seen before is void;
// 0 is a controller that has no terms.
type Primary struct {
	Primary bool   `json:"primary"`
	Term    uint64 `json:"term,omitempty"`
}

// Codes that a channel may end with. Only some transports carry them.
const (
	CloseNormal      = 1000 // for good
	CloseProtocol    = 1002 // the other side broke the protocol
	CloseUnsupported = 1003 // a text message where binary ones are spoken
	CloseInternal    = 1011 // this side failed
	CloseTryAgain    = 1013 // come back
)

// CloseError tells with which code the other side ended a channel. One with
// CloseNormal is an orderly end: errors.Is(err, io.EOF) holds for it.
type CloseError struct {
	Code   int
	Reason string
}

// Error names the code and the reason.
func (e *CloseError) Error() string {
	return fmt.Sprintf("the other side closed the channel with code %d %q", e.Code, e.Reason)
}

// Is makes a normal close an io.EOF.
func (e *CloseError) Is(target error) bool {
	return e.Code == CloseNormal && target == io.EOF
}

// CloseWith closes ch with a code where its transport has codes, and just
// closes it where not. How it ended is told by Recv.
func CloseWith(ch Channel, code int, reason string) {
	if c, ok := ch.(interface {
		CloseWith(code int, reason string) error
	}); ok {
		_ = c.CloseWith(code, reason)
		return
	}
	ch.Close()
}
