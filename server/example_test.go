package server_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"time"

	"github.com/quollhq/quoll/client"
	"github.com/quollhq/quoll/server"
)

// A server inside of a program, on a port that the system chooses.
func ExampleServer() {
	dir, err := os.MkdirTemp("", "quoll")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s, err := server.New(server.Options{
		Settings: map[string]string{
			"dataDir": dir, "clientPort": "0", "clientPortAddress": "127.0.0.1", "admin.enableServer": "false",
		},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Start(ctx); err != nil {
		log.Fatal(err)
	}
	defer s.Close()

	c, err := client.Dial(ctx, s.Addr().String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Create(ctx, "/greeting", []byte("hello")); err != nil {
		log.Fatal(err)
	}
	data, _, err := c.Get(ctx, "/greeting")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", data)
	// Output: hello
}
