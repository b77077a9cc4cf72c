package bench

import "fmt"

// kind is one sort of operation that the load is made of.
type kind uint8

const (
	kindGet kind = iota
	kindSet
	kindCreate
	kindDelete
	kindExists
	kindChildren
	kindMulti
	kindWatch // an exists, get or addWatch that leaves a watch behind
	kindEvent // a watch event: not sent, but timed like the others
	kindConnect
	kindClose
	kinds
)

var kindNames = [kinds]string{
	"get", "set", "create", "delete", "exists", "children", "multi", "watch", "event", "connect", "close",
}

func (k kind) String() string {
	if k < kinds {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

func (k kind) isWrite() bool {
	switch k {
	case kindSet, kindCreate, kindDelete, kindMulti:
		return true
	}
	return false
}

// parseKind is the inverse of String for what a mix may consist of.
func parseKind(s string) (kind, error) {
	for k := kindGet; k <= kindMulti; k++ {
		if kindNames[k] == s {
			return k, nil
		}
	}
	return 0, fmt.Errorf("unknown operation %q (one of %v)", s, kindNames[:kindMulti+1])
}
