package client

import (
	"context"
	"fmt"

	"github.com/quollhq/quoll/internal/jute"
	"github.com/quollhq/quoll/internal/proto"
)

// Op is one operation of a [Client.Multi].
type Op struct {
	op      proto.Op
	path    string
	data    []byte
	version int32
	create  creation
}

// CreateOp makes a node, as Create does.
func CreateOp(path string, data []byte, opts ...CreateOption) Op {
	p := newCreation(opts)
	return Op{op: p.op(true), path: path, data: data, create: p}
}

// SetOp replaces a node's data, as Set does.
func SetOp(path string, data []byte, version int32) Op {
	return Op{op: proto.OpSetData, path: path, data: data, version: version}
}

// DeleteOp deletes a node, as Delete does.
func DeleteOp(path string, version int32) Op {
	return Op{op: proto.OpDelete, path: path, version: version}
}

// CheckOp lets the multi fail with ErrBadVersion unless the node's data has
// this version, and with ErrNoNode if there is no node.
func CheckOp(path string, version int32) Op {
	return Op{op: proto.OpCheck, path: path, version: version}
}

// Path is the path that the operation was made with.
func (o *Op) Path() string { return o.path }

func (o *Op) isCreate() bool {
	switch o.op {
	case proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		return true
	}
	return false
}

func (o *Op) check() error {
	if !o.isCreate() {
		return ValidatePath(o.path)
	}
	if err := createPath(o.path, o.create.mode); err != nil {
		return err
	}
	return o.create.check()
}

func (o *Op) appendTo(c *Client, b []byte) []byte {
	b = proto.MultiHeader{Type: o.op, Err: -1}.Append(b)
	if o.isCreate() {
		return o.create.appendTo(c.appendPrefix(b, o.path), o.data)
	}
	b = c.appendPath(b, o.path)
	if o.op == proto.OpSetData {
		b = jute.AppendBuffer(b, o.data)
	}
	return jute.AppendInt(b, o.version)
}

// OpResult is what one operation of a multi led to: Path and Stat of a node
// made, Stat of one whose data was set. Err is set in each result of a multi
// that failed; ErrRuntimeInconsistency marks those after the one that failed,
// and a Code of zero ("ok") those before it, which did not take place either.
type OpResult struct {
	Path string
	Stat Stat
	Err  error
}

// Multi does all operations, as one change, or none. Its results are in the
// order of the operations. If one is refused, the error is a [MultiError] that
// tells which, and the results tell of each.
func (c *Client) Multi(ctx context.Context, ops ...Op) ([]OpResult, error) {
	for i := range ops {
		if err := ops[i].check(); err != nil {
			return nil, &MultiError{i, &OpError{Op: ops[i].op.String(), Path: ops[i].path, Err: err}}
		}
	}
	q := c.newCall(proto.OpMulti, "")
	for i := range ops {
		q.out = ops[i].appendTo(c, q.out)
	}
	q.out = proto.AppendMultiEnd(q.out)
	r, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	results, failed := c.decodeMulti(&r, ops)
	if err := r.end(); err != nil {
		return nil, err
	}
	if failed != nil {
		return results, failed
	}
	return results, nil
}

func (c *Client) decodeMulti(r *reply, ops []Op) (results []OpResult, failed *MultiError) {
	var h proto.MultiHeader
	for h.Decode(&r.Decoder); r.Err() == nil && !h.Done; h.Decode(&r.Decoder) {
		i := len(results)
		if i == len(ops) {
			r.Fail(fmt.Errorf("%w: more results than operations", jute.ErrMalformed))
			return nil, nil
		}
		res := c.decodeOpResult(r, h)
		if code, ok := res.Err.(Code); ok && failed == nil && code != proto.OK && code != proto.RuntimeInconsistency {
			failed = &MultiError{i, &OpError{Op: ops[i].op.String(), Path: ops[i].path, Err: code}}
		}
		results = append(results, res)
	}
	if r.Err() == nil && len(results) != len(ops) {
		r.Fail(fmt.Errorf("%w: %d results for %d operations", jute.ErrMalformed, len(results), len(ops)))
	}
	return results, failed
}

func (c *Client) decodeOpResult(r *reply, h proto.MultiHeader) (res OpResult) {
	switch h.Type {
	case proto.OpCreate:
		res.Path = c.clientPath(r.String())
	case proto.OpCreate2, proto.OpCreateContainer, proto.OpCreateTTL:
		res.Path = c.clientPath(r.String())
		res.Stat = decodeStat(&r.Decoder)
	case proto.OpSetData:
		res.Stat = decodeStat(&r.Decoder)
	case proto.OpDelete, proto.OpCheck:
	case proto.OpError:
		res.Err = Code(r.Int())
	default:
		r.Fail(fmt.Errorf("%w: result of type %v in a multi", jute.ErrMalformed, h.Type))
	}
	return res
}

// ReadOp is one operation of a [Client.MultiRead].
type ReadOp struct {
	op   proto.Op
	path string
}

// GetOp reads a node's data.
func GetOp(path string) ReadOp { return ReadOp{proto.OpGetData, path} }

// ChildrenOp reads the names of a node's children.
func ChildrenOp(path string) ReadOp { return ReadOp{proto.OpGetChildren, path} }

// ReadResult is what one operation of a MultiRead led to: Data and Stat, or
// Children, or Err.
type ReadResult struct {
	Data     []byte
	Stat     Stat
	Children []string
	Err      error
}

// MultiRead does all reads on one state of the tree. Each succeeds or fails by
// itself.
func (c *Client) MultiRead(ctx context.Context, ops ...ReadOp) ([]ReadResult, error) {
	q := c.newCall(proto.OpMultiRead, "")
	for _, o := range ops {
		if err := ValidatePath(o.path); err != nil {
			c.free(q)
			return nil, &OpError{Op: o.op.String(), Path: o.path, Err: err}
		}
		q.out = proto.MultiHeader{Type: o.op, Err: -1}.Append(q.out)
		q.out = c.appendPath(q.out, o.path)
		q.out = jute.AppendBool(q.out, false)
	}
	q.out = proto.AppendMultiEnd(q.out)
	r, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	results := decodeMultiRead(&r, ops)
	return results, r.end()
}

func decodeMultiRead(r *reply, ops []ReadOp) (results []ReadResult) {
	var h proto.MultiHeader
	for h.Decode(&r.Decoder); r.Err() == nil && !h.Done; h.Decode(&r.Decoder) {
		i := len(results)
		if i == len(ops) {
			r.Fail(fmt.Errorf("%w: more results than operations", jute.ErrMalformed))
			return nil
		}
		var res ReadResult
		switch h.Type {
		case proto.OpGetData:
			res.Data = r.Buffer()
			res.Stat = decodeStat(&r.Decoder)
		case proto.OpGetChildren:
			res.Children = r.Strings()
		case proto.OpError:
			res.Err = &OpError{Op: ops[i].op.String(), Path: ops[i].path, Err: Code(r.Int())}
		default:
			r.Fail(fmt.Errorf("%w: result of type %v in a multiRead", jute.ErrMalformed, h.Type))
		}
		results = append(results, res)
	}
	if r.Err() == nil && len(results) != len(ops) {
		r.Fail(fmt.Errorf("%w: %d results for %d operations", jute.ErrMalformed, len(results), len(ops)))
	}
	return results
}
