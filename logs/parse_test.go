package logs

import "testing"

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, level, logger, message string }{
		{"2026-11-22T07:03:03.123Z [INFO]  orders.db: connected: to=10.0.0.1 n=3", "info", "orders.db", "connected"},
		{"2026-11-22T07:03:03.123+0100 [WARN]  slow query", "warn", "", "slow query"},
		{"2026-11-22T07:03:03.123Z [ERROR] failed: error=\"no such file: x=y\"", "error", "", "failed"},
		{"2026-11-22T07:03:03.123Z [DEBUG] http: GET /: status=200", "debug", "http", "GET /"},
		{"2026-11-22T07:03:03.123Z [TRACE] db: a: b: c", "trace", "db", "a: b: c"},
		{`{"@level":"info","@message":"hi","@module":"orders","@timestamp":"2026-11-22T07:03:03Z","n":1}`, "info", "orders", "hi"},
		{`{"level":"WARNING","msg":"hi","logger":"x"}`, "warn", "x", "hi"},
		{`{"level":30,"msg":"pino"}`, "info", "", "pino"},
		{`{"severity":"CRITICAL","message":"gone","component":"c"}`, "fatal", "c", "gone"},
		{`{"level":"audit","msg":"odd level"}`, "audit", "", "odd level"},
		{`time=2026-11-22T07:03:03Z level=INFO msg="hello \"world\"" logger=a.b n=1`, "info", "a.b", `hello "world"`},
		{`level=error msg=short`, "error", "", "short"},
		{"plain text", "", "", ""},
		{"1 [x] no level", "", "", ""},
		{"a = b, and c=d", "", "", ""},
		{`{"not":"closed"`, "", "", ""},
		{`{}`, "", "", ""},
		{"", "", "", ""},
	} {
		l := Line{Text: c.text}
		parse(&l)
		if l.Level != c.level || l.Logger != c.logger || l.Message != c.message || l.Text != c.text {
			t.Errorf("%q: level %q logger %q message %q", c.text, l.Level, l.Logger, l.Message)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"2026-11-22T07:03:03.123Z [INFO]  a: b: c=d", `{"@level":"info","@message":"x"}`,
		`level=info msg="a`, "= = =", "[", "0 []", "{", `level="\`, "a=\x00 level=warn",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l := Line{Text: text}
		parse(&l)
		if l.Text != text || len(l.Level) > 32 {
			t.Fatalf("%+v", l)
		}
	})
}
