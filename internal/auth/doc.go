// Package auth knows who a client is and what an access control list lets it
// do.
//
// A connection carries a set of IDs, each a scheme and an identity in it: its
// address from the start, its certificate after a TLS handshake, and whatever
// it adds by auth packets or SASL. A Registry holds one Provider per scheme and
// answers, for those IDs:
//
//   - Authenticate and Exchange: which IDs an auth packet or a SASL token adds,
//     and what to answer;
//   - FixupACL: what a list that a client wants to set becomes, or that it is
//     invalid;
//   - Compile, Compiled.Allows: whether a permission is granted;
//   - UserName, MaskDigests: what others may see.
//
// Outcomes are those of Apache ZooKeeper 3.9.4, order of identities included.
// A Registry is immutable after New and safe for concurrent use.
package auth
