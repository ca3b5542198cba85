package journal

import (
	"fmt"
	"hash/fnv"
	"os"
)

// undo takes back transaction txid, which has failed: its meta page may be in
// the file all the same, whole or in part, as the error may have come from the
// fsync after it, and what was refused would come true with the next open. The
// page gets what the other one says, under a number older than that: both are
// good again, and the other one is the newer. undo is idempotent. It does not
// wait for the disk, which may refuse still: the next good commit syncs it too.
func undo(path string, txid uint64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	good, err := readMeta(f, (txid+1)%2)
	if err != nil {
		return err
	}
	if good.txid != txid-1 || good.txid == 0 {
		return fmt.Errorf("the transaction before it is %d, not %d", good.txid, txid-1)
	}
	if other, err := readMeta(f, txid%2); err == nil && other.txid < good.txid {
		return nil // it did not come as far
	}
	page := make([]byte, pageHeader+metaSize)
	if _, err := f.ReadAt(page, int64((txid+1)%2)*pageSize); err != nil {
		return err
	}
	order.PutUint64(page, txid%2)
	body := page[pageHeader:]
	order.PutUint64(body[48:], good.txid-1)
	h := fnv.New64a()
	_, _ = h.Write(body[:56])
	order.PutUint64(body[56:], h.Sum64())
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer w.Close()
	_, err = w.WriteAt(page, int64(txid%2)*pageSize)
	return err
}
