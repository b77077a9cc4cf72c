package storage

// forgetPiece is how many bytes are forgotten at once. It is the largest piece of
// memory that a file system keeps bytes in as well: only whole ones are given up.
const forgetPiece = 2 << 20

// past is how much of a file that is being written the system has forgotten: the
// next to read it is a start, and the memory serves what is written next.
type past struct{ upto int64 }

// forget has the system forget what is durable, if that is at least so many bytes
// more than before.
func (p *past) forget(f File, durable, least int64) {
	if durable-p.upto < least {
		return
	}
	from := max(0, p.upto-forgetPiece) // a piece of memory that was not durable as a whole
	f.Forget(from, durable-from)
	p.upto = durable
}
