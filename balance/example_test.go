package balance_test

import (
	"errors"
	"fmt"

	"github.com/quollhq/quoll/balance"
)

func ExampleBalancer() {
	b := balance.New(balance.Weighted(), balance.WithOutlier(balance.Outlier{}))
	b.Update([]balance.Endpoint{
		{ID: "a", Address: "10.0.0.1:80", Weight: 2},
		{ID: "b", Address: "10.0.0.2:80", Weight: 1},
	})
	for range 3 {
		pick, err := b.Pick("")
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(pick.Address)
		pick.Done(nil)
	}
	// Output:
	// 10.0.0.1:80
	// 10.0.0.2:80
	// 10.0.0.1:80
}

// A call that has failed is made again elsewhere.
func ExampleBalancer_Pick() {
	b := balance.New(balance.Rendezvous())
	b.Update([]balance.Endpoint{{ID: "a"}, {ID: "b"}})
	first, err := b.Pick("user-17")
	if err != nil {
		return
	}
	first.Done(errors.New("connection refused"))
	second, err := b.Pick("user-17", first.ID)
	if err != nil {
		return
	}
	second.Done(nil)
	fmt.Println(first.ID != second.ID)
	// Output: true
}
