package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/quollhq/quoll/server"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintf(cmd.OutOrStdout(), "quoll %s (speaks ZooKeeper %s) %s %s/%s\n",
				server.Version(), server.ZooKeeperVersion, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	}
}
