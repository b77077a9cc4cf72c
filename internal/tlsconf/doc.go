// Package tlsconf makes [crypto/tls] configurations out of the key and trust
// stores that Apache ZooKeeper is configured with: PEM, PKCS#12 and JKS files,
// Java's names of protocols and cipher suites, client authentication, host
// name checks, CRL and OCSP.
//
// [Open] loads the stores once and fails with what is wrong; the [Source] it
// returns hands out configurations for servers and clients. With
// [Options.Reload] a goroutine that runs [Source.Watch] reads changed stores
// again: handshakes that begin afterwards use the new certificates, and a
// store that cannot be read leaves the old ones in use.
//
// [SubjectName] prints the subject of a certificate as Java does; ACLs of
// scheme x509 compare that text.
package tlsconf
