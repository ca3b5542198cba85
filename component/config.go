package component

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/seed-04209a44/peerd/ccp"
)

// Config is what the peer says of this instance.
type Config struct {
	Address    string                     // application__version__instance
	Values     map[string]any             // the profile's `config`
	Arguments  map[string]string          // runtime arguments
	Named      map[string]json.RawMessage // NAMED_CONFIGURATION
	Secrets    map[string]string
	Properties map[string]any // MANAGEABLE_PROPERTIES
	Ports      ccp.Ports      // PORT_CONFIGURATION
}

// Decode unmarshals Values into v, strictly: unknown keys are an error.
func (c *Config) Decode(v any) error {
	raw, err := json.Marshal(c.Values)
	if err != nil {
		return fmt.Errorf("cannot read the configuration: %w", err)
	}
	if c.Values == nil {
		raw = []byte(`{}`)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("cannot read the configuration: %w", err)
	}
	return nil
}

// Duration is a time.Duration that a configuration writes as "1.5s".
type Duration time.Duration

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// MarshalText is the inverse of UnmarshalText.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// fetchConfig asks the peer for all it knows of this instance. Only
// COMPONENT_CONFIGURATION has to be there.
func (r *runtime) fetchConfig(ctx context.Context) (*Config, map[string]string, error) {
	var data ccp.Data
	err := r.link.do(ctx, func(client *ccp.Client) (err error) {
		data, err = client.DataOnce(ctx, ccp.PeerData()...)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cannot get the configuration from the peer: %w", err)
	}
	var base ccp.Configuration
	if err := data.Value(ccp.ComponentConfiguration, &base); err != nil {
		return nil, nil, fmt.Errorf("cannot get the configuration from the peer: %w", err)
	}
	cfg := &Config{Address: base.Address, Values: base.Values, Arguments: base.Arguments, Secrets: base.Secrets}
	var properties []ccp.Property
	err = errors.Join(
		optional(data, ccp.NamedConfiguration, &cfg.Named),
		optional(data, ccp.PortConfiguration, &cfg.Ports),
		optional(data, ccp.ManageableProperties, &properties))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read the configuration from the peer: %w", err)
	}
	cfg.Properties = make(map[string]any, len(properties))
	for _, p := range properties {
		cfg.Properties[p.Name] = p.Value
	}
	return cfg, base.Loggers, nil
}

// optional reads a value that the peer need not have.
func optional(d ccp.Data, id ccp.Identifier, out any) error {
	if _, ok := d.Values[id]; !ok {
		return nil
	}
	return d.Value(id, out)
}
