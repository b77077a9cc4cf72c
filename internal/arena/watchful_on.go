//go:build race || failpoints

package arena

// watchful tells that memory is overwritten when it is given back.
const watchful = true
