package profiles

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	cron "github.com/netresearch/go-cron"
	"golang.org/x/sys/unix"

	"github.com/seed-04209a44/peerd/descriptor"
)

// scalar is a value with a notation of its own. set takes the text as it
// stands in the profile; its error says what is wrong and what is allowed.
type scalar interface{ set(text string) error }

// Duration is a Go duration such as 500ms or 1m30s, never negative.
type Duration time.Duration

func (d *Duration) set(text string) error {
	v, err := time.ParseDuration(text)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is no duration; a number with a unit is expected: 500ms, 10s, 1m30s, 2h", clip(text))
	}
	*d = Duration(v)
	return nil
}

// Size is a number of bytes, such as 64KiB or 10MiB.
type Size int64

var sizeUnits = []struct {
	suffix string
	factor int64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"kB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
	{"", 1},
}

func (s *Size) set(text string) error {
	bad := fmt.Errorf("%q is no size; a number with a unit is expected: 64KiB, 10MiB, 2GiB (or kB, MB, GB)", clip(text))
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(digits, 64)
		bytes := n * float64(u.factor)
		if err != nil || math.IsNaN(bytes) || bytes < 0 || bytes >= 1<<62 || strings.ContainsAny(digits, "xXpP_eEiInN+") {
			return bad
		}
		*s = Size(bytes)
		return nil
	}
	return bad
}

// Signal is a signal by name (SIGTERM or TERM) or number.
type Signal syscall.Signal

func (s *Signal) set(text string) error {
	if n, err := strconv.Atoi(text); err == nil && n > 0 && n < 65 {
		*s = Signal(n)
		return nil
	}
	name := strings.ToUpper(text)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	n := unix.SignalNum(name)
	if n == 0 {
		return fmt.Errorf("%q is no signal; a name such as SIGTERM, SIGINT, SIGQUIT or SIGHUP is expected", clip(text))
	}
	*s = Signal(n)
	return nil
}

// ParseSignal reads a signal as a profile names it.
func ParseSignal(text string) (syscall.Signal, error) {
	var s Signal
	err := s.set(text)
	return syscall.Signal(s), err
}

func (s Signal) String() string { return signalName(syscall.Signal(s)) }

// signalName gives SIGTERM for syscall.SIGTERM, and the number where a signal
// has no name.
func signalName(s syscall.Signal) string {
	if name := unix.SignalName(s); name != "" {
		return name
	}
	return strconv.Itoa(int(s))
}

// Level is a log level in peerd's words.
type Level string

func (l *Level) set(text string) error {
	level, err := descriptor.NormalizeLevel(text)
	*l = Level(level)
	return err
}

// Text is a string that may also be written as a plain number or boolean; it
// is taken as it stands.
type Text string

func (t *Text) set(text string) error {
	if strings.ContainsRune(text, 0) {
		return errors.New("a zero byte is not allowed")
	}
	*t = Text(text)
	return nil
}

// Pattern is a regular expression in Go's syntax.
type Pattern string

func (p *Pattern) set(text string) error {
	if _, err := regexp.Compile(text); err != nil {
		return fmt.Errorf("%q is no regular expression: %s", clip(text), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	*p = Pattern(text)
	return nil
}

// Cron is a schedule of five fields or a descriptor such as @daily.
type Cron string

func (c *Cron) set(text string) error {
	if _, err := cron.ParseStandard(text); err != nil {
		return fmt.Errorf("%q is no schedule: %v; five fields are expected: minute hour day month weekday", clip(text), err)
	}
	*c = Cron(text)
	return nil
}

// Checksum is an algorithm and a hexadecimal digest.
type Checksum string

var checksumForm = regexp.MustCompile(`^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$`)

func (c *Checksum) set(text string) error {
	if !checksumForm.MatchString(text) {
		return fmt.Errorf("%q is no checksum; sha256: and 64 hexadecimal digits (or sha512: and 128) are expected", clip(text))
	}
	*c = Checksum(text)
	return nil
}

// HTTPURL is an http or https URL.
type HTTPURL string

func (h *HTTPURL) set(text string) error {
	if err := checkURL(text, "http", "https"); err != nil {
		return err
	}
	*h = HTTPURL(text)
	return nil
}

// checkURL says why text is not an absolute URL of one of the schemes.
func checkURL(text string, schemes ...string) error {
	u, err := url.Parse(text)
	if err == nil && u.Host != "" {
		for _, s := range schemes {
			if u.Scheme == s {
				return nil
			}
		}
	}
	return fmt.Errorf("%q is no such URL; %s://host… is expected", clip(text), strings.Join(schemes, ":// or "))
}

// HostPort is host:port.
type HostPort string

func (h *HostPort) set(text string) error {
	if err := checkHostPort(text); err != nil {
		return err
	}
	*h = HostPort(text)
	return nil
}

func checkHostPort(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return fmt.Errorf("%q is no address; host:port is expected, such as 127.0.0.1:8080", clip(text))
	}
	return nil
}

// GRPCHost is host:port, optionally with /service.
type GRPCHost string

func (g *GRPCHost) set(text string) error {
	address, _, _ := strings.Cut(text, "/")
	if err := checkHostPort(address); err != nil {
		return err
	}
	*g = GRPCHost(text)
	return nil
}

// Capability is a Linux capability by name, with or without CAP_ in front.
type Capability string

var capabilityNames = strings.Fields(`
	AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE
	DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE
	MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID
	SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE
	SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM`)

func (c *Capability) set(text string) error {
	name := strings.TrimPrefix(strings.ToUpper(text), "CAP_")
	for _, known := range capabilityNames {
		if name == known {
			*c = Capability("CAP_" + name)
			return nil
		}
	}
	return fmt.Errorf("%q is no capability%s", clip(text), didYouMean(name, capabilityNames))
}

// ArgumentConfig is the value of a runtime argument: a string, number, boolean
// or list of strings, kept as the text that the component receives.
type ArgumentConfig string

// clip bounds what of a bad value goes into a message.
func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}
