package tree

import (
	"strings"
)

// The znodes that make a quota: below /zookeeper/quota stands the path that it
// is for, and there one with the limits and one with what is used.
const (
	limitsName = "zookeeper_limits"
	statsName  = "zookeeper_stats"
)

// HasQuotas tells whether any path has a quota.
func (t *Tree) HasQuotas() bool { return len(t.quotas) > 0 }

// QuotaFor is the quota that counts for path: that of the longest path among it
// and its ancestors that has one. The root's quota counts for nothing.
func (t *Tree) QuotaFor(path string) (quotaPath string, limits, stats Quota, ok bool) {
	quotaPath = t.quotaOf(path)
	if quotaPath == "" {
		return "", limits, stats, false
	}
	l, s := t.Find(QuotaPath+quotaPath+"/"+limitsName), t.Find(QuotaPath+quotaPath+"/"+statsName)
	if l == 0 || s == 0 {
		return "", limits, stats, false
	}
	return quotaPath, ParseQuota(t.Data(l)), ParseQuota(t.Data(s)), true
}

// quotaOf is the longest path among path and its ancestors that has a quota.
func (t *Tree) quotaOf(path string) string {
	if len(t.quotas) == 0 {
		return ""
	}
	for path != "" {
		if _, ok := t.quotas[path]; ok {
			return path
		}
		path = path[:max(lastSlash(path), 0)]
	}
	return ""
}

// belowQuota is the path that a znode with this path, below /zookeeper/quota, is
// about, and whether it is there or /zookeeper/quota itself.
func belowQuota(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, QuotaPath)
	return rest, ok && (rest == "" || rest[0] == '/')
}

// countCreated keeps the quotas after a create.
func (t *Tree) countCreated(path, parentPath, name string, size int) {
	if quotaPath, ok := belowQuota(parentPath); ok {
		switch name {
		case limitsName:
			t.addQuota(quotaPath)
		case statsName:
			t.recount(quotaPath)
		}
	}
	if len(t.quotas) > 0 {
		t.addUsage(path, int64(size), 1)
	}
}

// countDeleted keeps the quotas after a delete.
func (t *Tree) countDeleted(path, parentPath, name string, size int) {
	if len(t.quotas) == 0 {
		return
	}
	if quotaPath, ok := belowQuota(parentPath); ok && name == limitsName {
		delete(t.quotas, quotaPath)
	}
	t.addUsage(path, -int64(size), -1)
}

// countData keeps the quotas after data grew.
func (t *Tree) countData(path string, growth int) {
	if len(t.quotas) > 0 {
		t.addUsage(path, int64(growth), 0)
	}
}

func (t *Tree) addQuota(path string) {
	if path != "" {
		t.quotas[strings.Clone(path)] = struct{}{}
	}
}

// addUsage adds to what the quota that counts for path says is used.
func (t *Tree) addUsage(path string, bytes int64, count int64) {
	quotaPath := t.quotaOf(path)
	if quotaPath == "" {
		return
	}
	n := t.Find(QuotaPath + quotaPath + "/" + statsName)
	if n == 0 {
		return
	}
	q := ParseQuota(t.Data(n))
	q.Count += count
	q.Bytes += bytes
	t.setLocally(n, q.Append(nil))
}

// recount sets what is used below path, with path, in its quota.
func (t *Tree) recount(path string) {
	stats := t.Find(QuotaPath + path + "/" + statsName)
	if stats == 0 {
		return
	}
	q := ParseQuota(nil)
	q.Count, q.Bytes = 0, 0
	if n := t.Find(path); n != 0 {
		q.Count, q.Bytes = t.subtree(n)
	}
	t.setLocally(stats, q.Append(nil))
}

// setLocally changes the data of a znode that each server keeps for itself.
func (t *Tree) setLocally(n Node, data []byte) {
	h := t.headerTable.edit(uint32(n))
	var b blob
	var stat blobStat
	t.open(h.blob, &b)
	b.stat(&stat)
	t.replaceData(n, h, &stat, data)
}

// subtree counts the znodes from n down, and their data.
func (t *Tree) subtree(n Node) (count, bytes int64) {
	for c := n; ; {
		h := t.header(c)
		count++
		bytes += int64(t.dataLen(h.blob))
		if first := t.FirstChild(c); first != 0 {
			c = first
			continue
		}
		for c != n && h.next == 0 {
			c = h.parent
			h = t.header(c)
		}
		if c == n {
			return count, bytes
		}
		c = h.next
	}
}

// setUpQuotas finds the quotas of a loaded tree and counts what they use.
func (t *Tree) setUpQuotas() {
	if n := t.Find(QuotaPath); n != 0 {
		t.setUpQuotasBelow(n)
	}
}

func (t *Tree) setUpQuotasBelow(n Node) {
	for c := t.FirstChild(n); c != 0; c = t.NextSibling(c) {
		if t.NumChildren(c) > 0 {
			t.setUpQuotasBelow(c)
			continue
		}
		if string(t.Name(c)) == limitsName {
			path := string(t.appendPath(nil, n))[len(QuotaPath):]
			t.recount(path)
			t.addQuota(path)
		}
	}
}
