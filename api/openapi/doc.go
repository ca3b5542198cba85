// Package openapi writes the OpenAPI 3.1 document of the HTTP API from
// control.Operations and the Go types of their payloads. Nothing at run time
// uses it: api embeds what it wrote, and a test compares the two.
//
//	go test ./api -run TestOpenAPIFile -update
//
// Document is a pure function.
package openapi
