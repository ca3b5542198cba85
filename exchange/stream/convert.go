package stream

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/seed-04209a44/peerd/exchange"
	"github.com/seed-04209a44/peerd/exchange/stream/internal/exchangepb"
)

var statusToProto = map[exchange.Status]exchangepb.Status{
	exchange.Pending:    exchangepb.Status_STATUS_PENDING,
	exchange.InProgress: exchangepb.Status_STATUS_IN_PROGRESS,
	exchange.Succeeded:  exchangepb.Status_STATUS_SUCCEEDED,
	exchange.Failed:     exchangepb.Status_STATUS_ERROR,
}

func statusFromProto(s exchangepb.Status) exchange.Status {
	switch s {
	case exchangepb.Status_STATUS_PENDING:
		return exchange.Pending
	case exchangepb.Status_STATUS_IN_PROGRESS:
		return exchange.InProgress
	case exchangepb.Status_STATUS_SUCCEEDED:
		return exchange.Succeeded
	}
	return exchange.Failed
}

func toProto(f exchange.Frame) *exchangepb.Frame {
	switch {
	case f.Command != nil:
		c := f.Command
		m := &exchangepb.Command{
			Id: c.ID, Type: c.Type, Payload: c.Payload,
			Priority: int32(max(min(c.Priority, 1<<31-1), -1<<31)), Traceparent: c.TraceParent, IdempotencyKey: c.IdempotencyKey,
		}
		if c.ExpiresAt != nil {
			m.ExpiresAt = timestamppb.New(*c.ExpiresAt)
		}
		return &exchangepb.Frame{Body: &exchangepb.Frame_Command{Command: m}}
	case f.Reply != nil:
		r := f.Reply
		return &exchangepb.Frame{Body: &exchangepb.Frame_Reply{Reply: &exchangepb.Reply{
			CommandId: r.CommandID, Type: r.Type, Status: statusToProto[r.Status],
			ErrorDetails: r.ErrorDetails, Payload: r.Payload, Traceparent: r.TraceParent,
		}}}
	}
	return &exchangepb.Frame{}
}

func fromProto(m *exchangepb.Frame) exchange.Frame {
	switch body := m.Body.(type) {
	case *exchangepb.Frame_Command:
		c := body.Command
		cmd := &exchange.Command{
			ID: c.GetId(), Type: c.GetType(), Payload: c.GetPayload(),
			Priority: int(c.GetPriority()), TraceParent: c.GetTraceparent(), IdempotencyKey: c.GetIdempotencyKey(),
		}
		if c.GetExpiresAt() != nil {
			at := c.GetExpiresAt().AsTime()
			cmd.ExpiresAt = &at
		}
		return exchange.Frame{Command: cmd}
	case *exchangepb.Frame_Reply:
		r := body.Reply
		return exchange.Frame{Reply: &exchange.Reply{
			CommandID: r.GetCommandId(), Type: r.GetType(), Status: statusFromProto(r.GetStatus()),
			ErrorDetails: r.GetErrorDetails(), Payload: r.GetPayload(), TraceParent: r.GetTraceparent(),
		}}
	}
	return exchange.Frame{}
}
