package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

// errNoOwner says that no local process owns the other end of a connection.
var errNoOwner = errors.New("the other end is no socket of this host")

// CallerOf finds the user who made a request over a loopback connection to a
// server of this process. For any other request there is an error, and for one
// whose Host is not this one: a web page elsewhere made a browser send it.
func CallerOf(r *http.Request) (Credentials, error) {
	if err := sameHost(r); err != nil {
		return Credentials{}, err
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	remote, err := net.ResolveTCPAddr("tcp", r.RemoteAddr)
	if !ok || err != nil {
		return Credentials{}, errNoOwner
	}
	return tcpCredentials(remote, local)
}

// tcpCredentials finds the user who owns the other end of a loopback
// connection in the kernel's socket table. The user is all there is to know.
func tcpCredentials(remote, local *net.TCPAddr) (Credentials, error) {
	if !remote.IP.IsLoopback() {
		return Credentials{}, errNoOwner
	}
	table := "/proc/net/tcp"
	if remote.IP.To4() == nil {
		table = "/proc/net/tcp6"
	}
	f, err := os.Open(table)
	if err != nil {
		return Credentials{}, err
	}
	defer f.Close()
	uid, err := socketOwner(f, tableAddress(remote), tableAddress(local))
	return Credentials{UID: uid}, err
}

// socketOwner is the uid column of the row with these addresses.
func socketOwner(table io.Reader, local, remote string) (uint32, error) {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) < 8 || f[1] != local || f[2] != remote {
			continue
		}
		uid, err := strconv.ParseUint(f[7], 10, 32)
		return uint32(uid), err
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	return 0, errNoOwner
}

// tableAddress is an address as the socket table writes it: each 32-bit word in
// the byte order of a little-endian host, then the port.
func tableAddress(a *net.TCPAddr) string {
	ip := a.IP.To4()
	if ip == nil {
		ip = a.IP.To16()
	}
	var b strings.Builder
	for i := 0; i+4 <= len(ip); i += 4 {
		fmt.Fprintf(&b, "%02X%02X%02X%02X", ip[i+3], ip[i+2], ip[i+1], ip[i])
	}
	fmt.Fprintf(&b, ":%04X", a.Port)
	return b.String()
}
