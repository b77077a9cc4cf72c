package counter

// Decode and Encode are the formats, for the fuzz test.
func Decode(f Format, data []byte) (int64, error) { return f.decode(data) }

// Encode is the other direction.
func Encode(f Format, n int64) ([]byte, error) { return f.encode(n) }
