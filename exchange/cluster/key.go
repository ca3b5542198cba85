package cluster

import (
	"encoding/hex"
	"strings"
)

// encodeKey turns a path of any bytes into a subject: words end with ".", and a
// byte that is no letter, digit, "-" or "_" becomes "=" and two hex digits. An
// empty word is a single "=".
func encodeKey(key string) string {
	var b strings.Builder
	start := 0
	for i := 0; i <= len(key); i++ {
		switch {
		case i == len(key) || key[i] == '/':
			if i == start {
				b.WriteByte('=')
			}
			if i < len(key) {
				b.WriteByte('.')
			}
			start = i + 1
		case plain(key[i]):
			b.WriteByte(key[i])
		default:
			b.WriteByte('=')
			b.WriteString(hex.EncodeToString([]byte{key[i]}))
		}
	}
	return b.String()
}

// decodeKey undoes encodeKey.
func decodeKey(subject string) string {
	var b strings.Builder
	for i := 0; i < len(subject); i++ {
		switch c := subject[i]; {
		case c == '.':
			b.WriteByte('/')
		case c == '=' && i+2 < len(subject) && subject[i+1] != '.':
			if raw, err := hex.DecodeString(subject[i+1 : i+3]); err == nil {
				b.Write(raw)
			}
			i += 2
		case c != '=':
			b.WriteByte(c)
		}
	}
	return b.String()
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
