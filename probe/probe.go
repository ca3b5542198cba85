package probe

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Spec is one check: exactly one of Exec, HTTP, TCP, GRPC, or Func is set.
type Spec struct {
	Exec []string // argv; exit 0 passes
	HTTP string   // URL; 2xx and 3xx pass (redirects are not followed); TLS certificates are verified
	TCP  string   // host:port; a connection passes
	GRPC string   // host:port[/service]; grpc.health.v1 SERVING passes
	// Func passes with ok. It must return when ctx ends.
	Func func(ctx context.Context) (ok bool, detail string)

	Dir string   // of Exec
	Env []string // of Exec: the whole environment
}

// Result of one check. Detail is bounded (4 KiB) and says why it failed.
type Result struct {
	OK     bool
	Unable bool // it could not be made: this process lacks what it takes, and nothing is known of the component
	Detail string
	Took   time.Duration
}

// maxDetail bounds what is kept of a probe's output or answer.
const maxDetail = 4 << 10

// Check runs the check once. When ctx ends, an exec probe's whole tree is
// killed before Check returns.
func Check(ctx context.Context, s Spec) Result {
	start := time.Now()
	detail, err := check(ctx, s)
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = errors.New("no answer within the timeout")
		}
		detail = strings.TrimSpace(err.Error() + "\n" + detail)
	}
	if len(detail) > maxDetail {
		detail = detail[:maxDetail]
	}
	return Result{OK: err == nil, Unable: unable(err), Detail: strings.ToValidUTF8(detail, "\uFFFD"), Took: time.Since(start)}
}

// unable reports whether a check failed for want of descriptors, memory or
// processes here.
func unable(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, e) || status.Code(err) == codes.Unavailable && strings.Contains(err.Error(), e.Error()) {
			return true
		}
	}
	var fork *fs.PathError
	return errors.Is(err, syscall.EAGAIN) && errors.As(err, &fork) && fork.Op == "fork/exec"
}

func check(ctx context.Context, s Spec) (detail string, err error) {
	switch {
	case len(s.Exec) > 0:
		return checkExec(ctx, s)
	case s.HTTP != "":
		return checkHTTP(ctx, s.HTTP)
	case s.TCP != "":
		return "", checkTCP(ctx, s.TCP)
	case s.GRPC != "":
		return "", checkGRPC(ctx, s.GRPC)
	case s.Func != nil:
		ok, detail := s.Func(ctx)
		if !ok {
			return detail, errors.New("the check failed")
		}
		return detail, nil
	}
	return "", errors.New("the probe is empty: set one of exec, http, tcp, grpc")
}
