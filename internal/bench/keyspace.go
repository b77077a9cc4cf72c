package bench

// Widths of the numbers in names, in digits. They are fixed so that a request
// is encoded once and only its digits change.
const (
	parentDigits = 5
	keyDigits    = 9
	maxParents   = 100_000
	maxKeys      = 1_000_000_000
)

// keyspace names the znodes of a run: root/k000000007 when there is one
// parent, else root/p00003/k000000007, number i below parent i modulo parents.
type keyspace struct {
	root    string
	parents int
}

// path is the path of znode i.
func (k keyspace) path(i int64) string {
	b := append([]byte(k.parentOf(i)), "/k"...)
	b = append(b, make([]byte, keyDigits)...)
	putDigits(b[len(b)-keyDigits:], uint64(i))
	return string(b)
}

// parentOf is the path of the znode that znode i lies under.
func (k keyspace) parentOf(i int64) string {
	if k.parents <= 1 {
		return k.root
	}
	return k.parent(i % int64(k.parents))
}

// parent is the path of the p-th parent.
func (k keyspace) parent(p int64) string {
	if k.parents <= 1 {
		return k.root
	}
	b := append([]byte(k.root), "/p"...)
	b = append(b, make([]byte, parentDigits)...)
	putDigits(b[len(b)-parentDigits:], uint64(p))
	return string(b)
}

// patch turns the path at the start of b, which is that of any znode of the
// keyspace, into that of znode i.
func (k keyspace) patch(b []byte, i int64) {
	at := len(k.root) + 2
	if k.parents > 1 {
		putDigits(b[at:at+parentDigits], uint64(i)%uint64(k.parents))
		at += parentDigits + 2
	}
	putDigits(b[at:at+keyDigits], uint64(i))
}

// patchParent turns the path of any parent at the start of b into that of
// the p-th one.
func (k keyspace) patchParent(b []byte, p int64) {
	if k.parents > 1 {
		at := len(k.root) + 2
		putDigits(b[at:at+parentDigits], uint64(p))
	}
}

const digitPairs = "" +
	"00010203040506070809" + "10111213141516171819" + "20212223242526272829" + "30313233343536373839" +
	"40414243444546474849" + "50515253545556575859" + "60616263646566676869" + "70717273747576777879" +
	"80818283848586878889" + "90919293949596979899"

// putDigits fills b with the decimal digits of v, zeros in front.
func putDigits(b []byte, v uint64) {
	i := len(b)
	for ; i >= 2; i -= 2 {
		p := v % 100 * 2
		v /= 100
		b[i-2], b[i-1] = digitPairs[p], digitPairs[p+1]
	}
	if i == 1 {
		b[0] = '0' + byte(v%10)
	}
}
