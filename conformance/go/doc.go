// Package conformance is nothing but tests: the official Azure SDK for Go, unmodified, against a running Strongroom.
package conformance
