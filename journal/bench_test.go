package journal

import (
	"fmt"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// One transaction per record on bare bbolt, the measure for the group commit.
func BenchmarkBareBbolt(b *testing.B) {
	db, err := bolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, boltOptions())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("r")); return err }); err != nil {
		b.Fatal(err)
	}
	value := make([]byte, 300)
	b.SetParallelism(64)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			err := db.Update(func(tx *bolt.Tx) error {
				r := tx.Bucket([]byte("r"))
				seq, _ := r.NextSequence()
				return r.Put(seqKey(seq), value)
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	for _, p := range []int{0, 64} {
		b.Run(fmt.Sprintf("parallel=%d", p), func(b *testing.B) {
			j := open(b, b.TempDir(), Options{})
			one := func() {
				if _, err := j.Append([]Record{rec("orders", "ticker", "running")}); err != nil {
					b.Error(err)
				}
			}
			b.ResetTimer()
			if p == 0 {
				for b.Loop() {
					one()
				}
				return
			}
			b.SetParallelism(p)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					one()
				}
			})
		})
	}
}

// Reading one instance of a thousand, and opening (verifying) such a file.
func BenchmarkThousandInstances(b *testing.B) {
	dir := b.TempDir()
	j := open(b, dir, Options{})
	for range 100 {
		recs := make([]Record, 0, 1000)
		for i := range 1000 {
			recs = append(recs, rec("orders", fmt.Sprintf("c%d", i), "running"))
		}
		mustAppend(b, j, recs...)
	}
	b.Run("Read", func(b *testing.B) {
		for b.Loop() {
			if n := len(mustRead(b, j, Filter{Application: "orders", Name: "c500"})); n != 100 {
				b.Fatal(n)
			}
		}
	})
	b.Run("Verify", func(b *testing.B) {
		for b.Loop() {
			if _, err := verify(j.path); err != nil {
				b.Fatal(err)
			}
		}
	})
}
