package storage

// Jump makes zxid the last transaction of the log, although the log does not
// hold it: the state of the server was replaced, and a snapshot of that zxid
// holds what it is now. The next Append begins a file and goes on behind zxid.
// The snapshot must be durable. Nobody may use the Log meanwhile.
func (l *Log) Jump(zxid int64) {
	l.last = zxid
	l.roll = true
	l.synced.Store(zxid)
}
