package admin

import (
	"strings"

	"github.com/quollhq/quoll/internal/tree"
)

// quotaSets are limits and usage of all quotas, summed up by the first element
// of their paths.
func quotaSets(n *Node) []labelled {
	sets := []labelled{
		{"quota_count_limit_per_namespace", "Znodes that quotas allow.", map[string]int64{}},
		{"quota_bytes_limit_per_namespace", "Bytes that quotas allow.", map[string]int64{}},
		{"quota_count_usage_per_namespace", "Znodes that count for quotas.", map[string]int64{}},
		{"quota_bytes_usage_per_namespace", "Bytes that count for quotas.", map[string]int64{}},
	}
	t := n.Engine.Tree
	t.RLock(0)
	defer t.RUnlock(0)
	if t.HasQuotas() {
		addQuotas(t, t.Find(tree.QuotaPath), sets)
	}
	return sets
}

// addQuotas goes through what lies below n, a znode of /zookeeper/quota.
func addQuotas(t *tree.Tree, n tree.Node, sets []labelled) {
	for c := t.FirstChild(n); c != 0; c = t.NextSibling(c) {
		if t.NumChildren(c) > 0 {
			addQuotas(t, c, sets)
			continue
		}
		name := string(t.Name(c))
		path := strings.TrimPrefix(string(t.Path(nil, n)), tree.QuotaPath)
		top, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		if path == "" || top == "" {
			continue
		}
		q := tree.ParseQuota(t.Data(c))
		switch name {
		case "zookeeper_limits":
			sets[0].values[top] += limit(q.CountHardLimit, q.Count)
			sets[1].values[top] += limit(q.ByteHardLimit, q.Bytes)
		case "zookeeper_stats":
			sets[2].values[top] += q.Count
			sets[3].values[top] += q.Bytes
		}
	}
}

// limit is the hard one if there is one.
func limit(hard, soft int64) int64 {
	if hard > -1 {
		return hard
	}
	return soft
}
