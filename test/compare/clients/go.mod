module github.com/quollhq/quoll/test/compare/clients

go 1.26.0

require (
	github.com/go-zookeeper/zk v1.0.4
	github.com/quollhq/quoll v0.0.0
	github.com/quollhq/quoll/compat/zk v0.0.0
)

require github.com/go-viper/mapstructure/v2 v2.5.0 // indirect

replace (
	github.com/quollhq/quoll => ../../..
	github.com/quollhq/quoll/compat/zk => ../../../compat/zk
)
