package journal

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"hash/crc64"
)

// formatVersion is written into every file; a higher one is refused.
const formatVersion = 1

// The buckets. History is stored once, under its sequence number; the index
// holds instance key NUL sequence number, with no value.
const (
	bucketMeta      = "meta"
	bucketRecords   = "records"
	bucketIndex     = "index"
	bucketInstances = "instances"
	bucketSettings  = "settings"
)

var dataBuckets = []string{bucketRecords, bucketIndex, bucketInstances, bucketSettings}

const (
	keyState  = "state"
	maxName   = 1024 // bytes of application + name, or of a setting's key
	seqBytes  = 8
	crcBytes  = 4
	stateSize = 2 + 8 + 8 + 8
)

// row is one stored row; a nil value in a write means delete.
type row struct {
	bucket     string
	key, value []byte
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	ecma       = crc64.MakeTable(crc64.ECMA)
)

// seal puts the checksum of bucket, key and payload in front of the payload.
func seal(bucket string, key, payload []byte) []byte {
	b := make([]byte, crcBytes, crcBytes+len(payload))
	binary.LittleEndian.PutUint32(b, checksum(bucket, key, payload))
	return append(b, payload...)
}

// unseal checks a sealed value and returns its payload, which aliases it.
func unseal(bucket string, key, sealed []byte) ([]byte, error) {
	if len(sealed) < crcBytes {
		return nil, fmt.Errorf("row %s/%q is too short", bucket, key)
	}
	payload := sealed[crcBytes:]
	if binary.LittleEndian.Uint32(sealed) != checksum(bucket, key, payload) {
		return nil, fmt.Errorf("row %s/%q does not match its checksum", bucket, key)
	}
	return payload, nil
}

func checksum(bucket string, key, payload []byte) uint32 {
	c := crc32.Update(0, castagnoli, []byte(bucket))
	c = crc32.Update(c, castagnoli, []byte{byte(len(key)), byte(len(key) >> 8)})
	c = crc32.Update(c, castagnoli, key)
	return crc32.Update(c, castagnoli, payload)
}

// fingerprint is a row's share of the digest over all rows. The shares are
// combined by XOR, so that adding and removing a row cost the same.
func fingerprint(bucket string, key, sealed []byte) uint64 {
	c := crc64.Update(0, ecma, []byte(bucket))
	c = crc64.Update(c, ecma, []byte{byte(len(key)), byte(len(key) >> 8)})
	c = crc64.Update(c, ecma, key)
	return crc64.Update(c, ecma, sealed)
}

// state is the row that vouches for all others.
type state struct {
	version uint16
	seq     uint64 // last one given
	rows    uint64 // in the data buckets
	digest  uint64 // XOR of their fingerprints
}

func (s state) encode() []byte {
	b := binary.LittleEndian.AppendUint16(make([]byte, 0, stateSize), s.version)
	b = binary.LittleEndian.AppendUint64(b, s.seq)
	b = binary.LittleEndian.AppendUint64(b, s.rows)
	b = binary.LittleEndian.AppendUint64(b, s.digest)
	return seal(bucketMeta, []byte(keyState), b)
}

func decodeState(sealed []byte) (state, error) {
	b, err := unseal(bucketMeta, []byte(keyState), sealed)
	if err != nil {
		return state{}, err
	}
	if len(b) < 2 {
		return state{}, fmt.Errorf("the state row has %d bytes", len(b))
	}
	s := state{version: binary.LittleEndian.Uint16(b)}
	if s.version > formatVersion {
		return s, nil // what follows the version is not ours to read
	}
	if len(b) != stateSize {
		return state{}, fmt.Errorf("the state row has %d bytes, not %d", len(b), stateSize)
	}
	s.seq = binary.LittleEndian.Uint64(b[2:])
	s.rows = binary.LittleEndian.Uint64(b[10:])
	s.digest = binary.LittleEndian.Uint64(b[18:])
	return s, nil
}

func seqKey(seq uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, seqBytes), seq)
}

func indexKey(instance []byte, seq uint64) []byte {
	b := make([]byte, 0, len(instance)+1+seqBytes)
	b = append(append(b, instance...), 0)
	return binary.BigEndian.AppendUint64(b, seq)
}

// splitIndexKey undoes indexKey; ok is false for anything else.
func splitIndexKey(key []byte) (instance []byte, seq uint64, ok bool) {
	n := len(key) - seqBytes - 1
	if n < 1 || key[n] != 0 {
		return nil, 0, false
	}
	return key[:n], binary.BigEndian.Uint64(key[n+1:]), true
}

// decodeRecord reads a row of the records bucket. The sequence number is the
// key and only there.
func decodeRecord(key, sealed []byte) (Record, error) {
	var r Record
	payload, err := unseal(bucketRecords, key, sealed)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(payload, &r); err != nil {
		return r, fmt.Errorf("row %s/%x: %w", bucketRecords, key, err)
	}
	r.Seq = binary.BigEndian.Uint64(key)
	return r, nil
}
