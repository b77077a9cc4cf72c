// Package appcli has the commands that do from a shell what applications do by
// discovery and configcenter: register, discover, config, template.
package appcli
