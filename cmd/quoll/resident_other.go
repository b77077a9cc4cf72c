//go:build !linux

package main

// forgetProgram has nothing to do where the program's pages cannot be given back.
func forgetProgram() {}
