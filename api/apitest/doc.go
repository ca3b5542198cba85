// Package apitest is a peer of canned answers for tests: every operation of
// package control behind a real api.Server, without a supervisor.
//
//	var mux exchange.Mux
//	peer := apitest.New()
//	peer.Register(&mux)
//
// Instances called ticker, db and web (twice: orders/web, shop/web) exist. The
// names broken, late, stuck and secret stand for an outcome that failed, one
// that timed out, a call that never ends, and a refusal. A Peer is safe for
// concurrent use.
package apitest
