// Package safety lets many processes lock, elect, count and hand over messages while they are killed, paused and cut off,
// in both directions or in one, and a server, or the leader of three, is killed and started again. Then it checks what is
// left in the tree:
//
//   - what holders of a lock wrote under its guard stands in the order of their tokens: never did an earlier holder write
//     after a later one;
//   - the same of the terms of leaders;
//   - every change of a counter that was confirmed counts once, and no more than those that were not confirmed besides;
//   - every message was delivered, and the queue is empty.
package safety
