package controller

// ManagementOptions of a Controller.
type ManagementOptions struct{ Disabled bool }
