package counter

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
)

// Format is how a node holds the number. A node without data is 0 in each.
type Format int

// The formats.
const (
	Long Format = iota // 8 bytes, big-endian, two's complement
	Int                // 4 bytes, big-endian, two's complement
	Text               // decimal digits
)

// encode fails for a number that the format cannot hold.
func (f Format) encode(n int64) ([]byte, error) {
	switch f {
	case Long:
		return binary.BigEndian.AppendUint64(nil, uint64(n)), nil
	case Int:
		if n < math.MinInt32 || n > math.MaxInt32 {
			return nil, fmt.Errorf("%w: %d is beyond 32 bits", ErrRange, n)
		}
		return binary.BigEndian.AppendUint32(nil, uint32(n)), nil
	case Text:
		return strconv.AppendInt(nil, n, 10), nil
	}
	return nil, fmt.Errorf("unknown format %d", f)
}

func (f Format) decode(data []byte) (int64, error) {
	switch {
	case len(data) == 0:
		return 0, nil
	case f == Long && len(data) == 8:
		return int64(binary.BigEndian.Uint64(data)), nil
	case f == Int && len(data) == 4:
		return int64(int32(binary.BigEndian.Uint32(data))), nil
	case f == Text:
		n, err := strconv.ParseInt(string(data), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%w: %.40q are no decimal digits", ErrFormat, data)
		}
		return n, nil
	}
	return 0, fmt.Errorf("%w: %d bytes of data", ErrFormat, len(data))
}

// add fails when the sum is beyond 64 bits.
func add(a, b int64) (int64, error) {
	sum := a + b
	if (sum > a) != (b > 0) && b != 0 {
		return 0, fmt.Errorf("%w: %d%+d is beyond 64 bits", ErrRange, a, b)
	}
	return sum, nil
}
