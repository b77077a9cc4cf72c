package discovery_test

import (
	"context"
	"fmt"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/discovery"
	"github.com/quollhq/quoll/internal/servertest"
)

func ExampleDiscovery_Register() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		d := discovery.New(c)
		reg, err := d.Register(ctx, discovery.Instance{Service: "orders", ID: "a", Address: "10.0.0.7", Port: 8080})
		if err != nil {
			return err
		}
		now, err := d.Instances(ctx, "orders")
		if err != nil {
			return err
		}
		for _, in := range now.Instances {
			fmt.Println(in.Path, in.HostPort())
		}
		return reg.Close(ctx)
	})
	// Output: /services/orders/a 10.0.0.7:8080
}

func ExampleService_Snapshots() {
	servertest.Example(func(ctx context.Context, c *client.Client) error {
		d := discovery.New(c)
		orders, err := d.Follow(ctx, "orders")
		if err != nil {
			return err
		}
		defer orders.Close()
		if _, err := d.Register(ctx, discovery.Instance{Service: "orders", Address: "10.0.0.7", Port: 8080}); err != nil {
			return err
		}
		for snapshot, err := range orders.Snapshots(ctx) {
			if err != nil {
				return err
			}
			if ready := snapshot.Ready(); len(ready) > 0 {
				fmt.Println(ready[0].Address, "is ready")
				break
			}
		}
		return nil
	})
	// Output:
	// 10.0.0.7 is ready
}
