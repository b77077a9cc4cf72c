package zk

import (
	"errors"
	"fmt"

	"github.com/quollhq/quoll/client"
)

// Multi does all operations, as one change, or none. They are *CreateRequest,
// *DeleteRequest, *SetDataRequest or *CheckVersionRequest. The error is that of
// the operation that failed; the responses tell of each.
func (c *Conn) Multi(ops ...interface{}) ([]MultiResponse, error) {
	list := make([]client.Op, len(ops))
	for i, op := range ops {
		var err error
		if list[i], err = clientOp(op); errors.Is(err, ErrBadArguments) {
			return refused(len(ops), i, err), err
		} else if err != nil {
			return nil, err
		}
	}
	results, err := c.client.Multi(c.ctx(), list...)
	if results == nil && err != nil {
		return c.unanswered(len(ops), err)
	}
	responses := make([]MultiResponse, len(results))
	for i, res := range results {
		responses[i] = response(ops[i], res)
	}
	return responses, c.failure(err)
}

func clientOp(op interface{}) (client.Op, error) {
	switch op := op.(type) {
	case *CreateRequest:
		mode, err := parseCreateMode(op.Flags)
		if err != nil || mode.isTTL {
			return client.Op{}, ErrBadArguments
		}
		return client.CreateOp(op.Path, op.Data, mode.mode(), clientACL(op.Acl)), nil
	case *SetDataRequest:
		return client.SetOp(op.Path, op.Data, op.Version), nil
	case *DeleteRequest:
		return client.DeleteOp(op.Path, op.Version), nil
	case *CheckVersionRequest:
		return client.CheckOp(op.Path, op.Version), nil
	}
	return client.Op{}, fmt.Errorf("unknown operation type %T", op)
}

func response(op interface{}, res client.OpResult) (r MultiResponse) {
	if code, ok := res.Err.(client.Code); ok {
		r.Error = ErrCode(code).toError()
		return r
	}
	switch op.(type) {
	case *CreateRequest:
		r.String = res.Path
	case *SetDataRequest:
		r.Stat = statOf(res.Stat, nil)
	}
	return r
}

// unanswered is a multi that has no results: it was not sent, or not answered.
func (c *Conn) unanswered(n int, err error) ([]MultiResponse, error) {
	var failed *client.MultiError
	if errors.As(err, &failed) {
		return refused(n, failed.Index, ErrBadArguments), ErrBadArguments
	}
	return nil, c.failure(err)
}

// refused is what a server answers to n operations of which one is refused.
func refused(n, at int, err error) []MultiResponse {
	responses := make([]MultiResponse, n)
	responses[at].Error = err
	for i := at + 1; i < n; i++ {
		responses[i].Error = ErrCode(client.ErrRuntimeInconsistency).toError()
	}
	return responses
}
