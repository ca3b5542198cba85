package journal_test

import (
	"context"
	"fmt"
	"os"

	"github.com/seed-04209a44/peerd/journal"
)

func ExampleJournal() {
	dir, _ := os.MkdirTemp("", "journal")
	defer os.RemoveAll(dir)
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		panic(err)
	}
	defer j.Close()
	seq, err := j.Append(
		[]journal.Record{{Application: "orders", Name: "ticker", From: "starting", To: "running"}},
		journal.Instance{Application: "orders", Name: "ticker", Generation: 1, Desired: "up"},
	)
	fmt.Println(seq, err)
	for r := range j.Watch(context.Background(), journal.Filter{Name: "ticker"}) {
		fmt.Println(r.Seq, r.From, r.To)
		break
	}
	// Output:
	// 1 <nil>
	// 1 starting running
}
