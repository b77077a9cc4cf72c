module github.com/quollhq/quoll/compat/zk

go 1.26.0

require github.com/quollhq/quoll v0.0.0

replace github.com/quollhq/quoll => ../..
