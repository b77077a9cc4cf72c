package tree

// Swap exchanges what two trees hold, so that who has t need not be told of
// another tree. The caller holds Lock of t, nobody else has o, and neither has
// a View.
func (t *Tree) Swap(o *Tree) {
	if len(t.mvcc.views)+len(o.mvcc.views) > 0 {
		panic("tree: swap while a View is open")
	}
	t.contents, o.contents = o.contents, t.contents
	t.rewire()
	o.rewire()
}

// rewire points the tables at the tree that they are part of.
func (t *Tree) rewire() {
	t.headerTable.pages, t.headerTable.mvcc = &t.headers, &t.mvcc
	t.dirTable.pages, t.dirTable.mvcc = &t.dirs, &t.mvcc
	t.extraTable.pages, t.extraTable.mvcc = &t.extras, &t.mvcc
}
