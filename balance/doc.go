// Package balance picks one of many endpoints for each call.
//
//	b := balance.New(balance.LeastRequest(2))
//	b.Update(endpoints) // now, and whenever they change
//	...
//	pick, err := b.Pick("")
//	if err != nil { return err } // balance.ErrNone
//	err = call(pick.Address)
//	pick.Done(err)
//
// A [Policy] chooses: [RoundRobin], [Weighted], [Random], [Sticky],
// [LeastRequest], [PeakEWMA], and by a key [Ring], [Rendezvous], [Maglev] and
// [Bounded]; [ZoneFirst] wraps any of them. The [Balancer] counts what is under
// way, lets new endpoints start slowly, and ejects those that fail, with the
// defaults of Envoy's outlier detection.
//
// Keys are hashed by xxHash. The hash policies know weights, and Bounded knows
// the calls under way.
package balance
