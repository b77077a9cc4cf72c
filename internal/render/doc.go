// Package render makes files of templates and of what is in the tree, and makes
// them again when that changes.
//
// A [Renderer] renders all templates; what they have asked for it follows. A file
// that has changed is staged beside the one it is to replace and checked by a
// command; only if all are good are they put into place, and then another
// command is told.
package render
