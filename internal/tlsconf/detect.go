package tlsconf

// DetectBytes is how many bytes LooksLikeTLS needs.
const DetectBytes = 5

// LooksLikeTLS tells whether the first bytes of a connection begin a TLS
// record rather than a request in plain text: a record type from 20 to 24 and
// a major version of 3. A request of plain text begins with its length, whose
// first byte is far below 20, or with the letters of a four-letter word.
func LooksLikeTLS(b []byte) bool {
	return len(b) >= DetectBytes && b[0] >= 20 && b[0] <= 24 && b[1] == 3
}
