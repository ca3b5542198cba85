package keeper

// Break ends the connection to the keeper, which lives on.
func (c *Client) Break() {
	c.mu.Lock()
	s := c.now
	c.mu.Unlock()
	_ = s.endpoint.Close()
	<-s.endpoint.Done()
}
