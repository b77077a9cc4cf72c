// Package socket opens and accepts the connections between members: plain, TLS, or either on one port.
package socket
