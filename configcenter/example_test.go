package configcenter_test

import (
	"context"
	"fmt"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/configcenter"
	"github.com/quollhq/quoll/internal/servertest"
)

func ExampleOpen() {
	type Config struct {
		Pool struct {
			MaxSize int
			Timeout time.Duration
		}
	}
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		center := configcenter.New(c)
		first := configcenter.Change{Set: map[string]string{"pool.max-size": "8", "pool.timeout": "2s"}, Author: "ann", Reason: "first"}
		if _, err := center.Publish(ctx, "orders", first); err != nil {
			return err
		}
		live, err := configcenter.Open(ctx, center, configcenter.App{Name: "orders"}, configcenter.Options[Config]{})
		if err != nil {
			return err
		}
		defer live.Close()
		for cfg, err := range live.Changes(ctx) {
			if err != nil {
				return err
			}
			fmt.Println(cfg.Pool.MaxSize, cfg.Pool.Timeout)
			if cfg.Pool.MaxSize == 16 {
				break
			}
			more := configcenter.Change{Set: map[string]string{"pool.max-size": "16"}, Author: "bob", Reason: "more load"}
			if _, err := center.Publish(ctx, "orders", more); err != nil {
				return err
			}
		}
		return nil
	})
	// Output:
	// 8 2s
	// 16 2s
}
