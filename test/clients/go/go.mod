module github.com/quollhq/quoll/test/clients/go

go 1.26

require github.com/go-zookeeper/zk v1.0.4
