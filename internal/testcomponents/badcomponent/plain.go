package main

import (
	"net"
	"net/http"
	"os"
	"time"
)

// Plain processes that are ready when the file `go` is in their folder.

// servesLate answers HTTP on the address that is its second argument.
func servesLate() {
	awaitGo()
	must(http.ListenAndServe(os.Args[2], http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
}

// notifiesLate says READY=1 as sd_notify(3) does.
func notifiesLate() {
	awaitGo()
	conn, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	must(err)
	_, err = conn.Write([]byte("READY=1\n"))
	must(err)
	wait()
}

func awaitGo() {
	for {
		if _, err := os.Stat("go"); err == nil {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
}
