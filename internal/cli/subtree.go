package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/quollhq/quoll/client"
)

// walkReads bounds the reads that are under way at once while a tree is
// walked.
const walkReads = 256

// childrenOf reads the sorted children of each of paths, many at a time. A
// node that has gone meanwhile has none.
func childrenOf(ctx context.Context, c *client.Client, paths []string) ([][]string, error) {
	return parallel(ctx, paths, func(ctx context.Context, path string) ([]string, error) {
		names, err := c.ChildNames(ctx, path)
		if errors.Is(err, client.ErrNoNode) {
			return nil, nil
		}
		slices.Sort(names)
		return names, err
	})
}

// parallel does f for each of paths, many at a time, and returns the results
// in their order.
func parallel[T any](ctx context.Context, paths []string, f func(context.Context, string) (T, error)) ([]T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make([]T, len(paths))
	errs := make(chan error, len(paths))
	slots := make(chan struct{}, walkReads)
	for i, path := range paths {
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			var err error
			if results[i], err = f(ctx, path); err != nil {
				cancel()
			}
			errs <- err
		}()
	}
	var first error
	for range paths {
		if err := <-errs; err != nil && (first == nil || errors.Is(first, context.Canceled)) {
			first = err
		}
	}
	return results, first
}

// listBreadthFirst lists a subtree, each level after the one above it.
func listBreadthFirst(ctx context.Context, c *client.Client, root string) ([]string, error) {
	if _, err := c.ChildNames(ctx, root); err != nil {
		return nil, err
	}
	all := []string{root}
	for level := all; len(level) > 0; {
		names, err := childrenOf(ctx, c, level)
		if err != nil {
			return nil, err
		}
		from := len(all)
		for i, parent := range level {
			for _, name := range names[i] {
				all = append(all, client.Join(parent, name))
			}
		}
		level = all[from:]
	}
	return all, nil
}

// visitDepthFirst visits a subtree in the order of Apache's `ls -R`: a node's
// children, then what is below each of them.
func visitDepthFirst(root string, children func(string) ([]string, error), visit func(string) error) error {
	if err := visit(root); err != nil {
		return err
	}
	return visitBelow(root, children, visit)
}

func visitBelow(path string, children func(string) ([]string, error), visit func(string) error) error {
	names, err := children(path)
	if errors.Is(err, client.ErrNoNode) {
		return nil
	}
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if err := visit(client.Join(path, name)); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := visitBelow(client.Join(path, name), children, visit); err != nil {
			return err
		}
	}
	return nil
}

// deleteAll deletes a subtree from the leaves up, batch nodes to a request,
// and tells whether everything went.
func deleteAll(ctx context.Context, c *client.Client, root string, batch int) (bool, error) {
	paths, err := listBreadthFirst(ctx, c, root)
	if err != nil {
		return false, err
	}
	slices.Reverse(paths)
	if batch <= 0 {
		for _, path := range paths {
			if err := c.Delete(ctx, path, client.AnyVersion); err != nil {
				return false, err
			}
		}
		return true, nil
	}
	for chunk := range slices.Chunk(paths, batch) {
		ops := make([]client.Op, len(chunk))
		for i, path := range chunk {
			ops[i] = client.DeleteOp(path, client.AnyVersion)
		}
		_, err := c.Multi(ctx, ops...)
		var refused *client.MultiError
		if errors.As(err, &refused) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}
