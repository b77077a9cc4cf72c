// Package failpoint names places at which a test can make a server crash, stand still or fail.
//
// A server that is built without the tag "failpoints" has none of it: [Hit] and [Shift] are empty functions that the
// compiler leaves out. With the tag, two variables of the environment say what happens:
//
//	FAILPOINTS          what to do where, for example "log/sync=crash; peer/commit=stall(200ms),10%"
//	FAILPOINTS_REACHED  a file that gets the name of each place when it is reached for the first time
//
// FAILPOINTS may be @ and the name of a file with the same text, which is read anew when it changes. There is one
// rule per place, NAME=ACTION with these actions
//
//	crash         the process ends, as by kill -9
//	fail          the step fails with an error; only where [Description].Fails
//	fail(ENOSPC)  the error is that of a full disk; EIO is the other one that is known
//	stall(200ms)  the step takes so much longer
//	shift(-1h)    a clock is wrong by so much
//
// and behind it, separated by commas, "10%" for how often, "3x" for how many times at most.
package failpoint
