module github.com/quollhq/quoll

go 1.26
