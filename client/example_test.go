package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/quollhq/quoll/client"
)

func ExampleDial() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := client.Dial(ctx, "zk1:2181,zk2:2181,zk3:2181/app",
		client.WithSessionTimeout(10*time.Second),
		client.WithAuth("digest", []byte("app:password")))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	data, stat, err := c.Get(ctx, "/config")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("version %d: %s\n", stat.Version, data)
}

// A member registers itself; the node goes away with its session.
func ExampleClient_Create() {
	ctx := context.Background()
	c, err := client.Dial(ctx, "localhost")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	path, err := c.Create(ctx, "/members/m-", []byte("10.0.0.7:8080"), client.EphemeralSequential)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("registered as", path)
}

// Replace data only if nobody else has meanwhile.
func ExampleClient_Set() {
	ctx := context.Background()
	c, err := client.Dial(ctx, "localhost")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	for {
		data, stat, err := c.Get(ctx, "/counter")
		if err != nil {
			log.Fatal(err)
		}
		_, err = c.Set(ctx, "/counter", append(data, '+'), stat.Version)
		if errors.Is(err, client.ErrBadVersion) {
			continue
		}
		if client.MaybeApplied(err) {
			log.Print("the connection broke; look before doing it again")
		}
		break
	}
}

// Follow a subtree. A Reset tells to read it anew.
func ExampleClient_AddWatch() {
	ctx := context.Background()
	c, err := client.Dial(ctx, "localhost")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	w, err := c.AddWatch(ctx, "/config", client.WatchTree)
	if err != nil {
		log.Fatal(err)
	}
	defer w.Close(ctx)
	for ev, err := range w.All(ctx) {
		switch {
		case err != nil:
			log.Print(err)
		case ev.Type == client.EventReset:
			fmt.Println("read everything again")
		default:
			fmt.Println(ev.Type, ev.Path)
		}
	}
}

// All or nothing.
func ExampleClient_Multi() {
	ctx := context.Background()
	c, err := client.Dial(ctx, "localhost")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	_, err = c.Multi(ctx,
		client.CheckOp("/release", 7),
		client.SetOp("/release", []byte("v8"), 7),
		client.CreateOp("/releases/v8", nil))
	var failed *client.MultiError
	if errors.As(err, &failed) {
		fmt.Println("operation", failed.Index, "was refused:", failed.Err)
	}
}
