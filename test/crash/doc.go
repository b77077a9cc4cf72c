// Package crash kills servers under load and looks what they kept: nothing
// acknowledged is lost, nothing is there by half, and the files verify.
package crash
