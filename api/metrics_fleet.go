package api

import "github.com/prometheus/client_golang/prometheus"

func fleetDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("peerd_controller_"+name, help, append([]string{"identifier"}, labels...), nil)
}

var (
	descNodes         = fleetDesc("nodes", "Controllers of the fleet that are there.")
	descTargets       = fleetDesc("targets", "Targets of the fleet that have a channel.")
	descChannels      = fleetDesc("channels", "Channels of the fleet.")
	descLocalChannels = fleetDesc("local_channels", "Channels of this controller.")
	descInFlight      = fleetDesc("commands_in_flight", "Commands under way on this controller's channels.")
	descBatches       = fleetDesc("batches", "Batches of the fleet by status.", "status")
	descCommands      = fleetDesc("commands_total", "Commands sent to this controller's channels by outcome.", "outcome")
	descEvents        = fleetDesc("events_total", "What happened at this controller by kind; primary.elected counts its elections.", "kind")

	fleetDescs = []*prometheus.Desc{
		descNodes, descTargets, descChannels, descLocalChannels, descInFlight, descBatches, descCommands, descEvents,
	}
)

// collectFleet tells of the controller in this process, if there is one.
func collectFleet(ch chan<- prometheus.Metric, src FleetSource) {
	f, ok := src.Fleet()
	if !ok {
		return
	}
	tell := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, label ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, append([]string{f.Identifier}, label...)...)
	}
	tell(descNodes, prometheus.GaugeValue, float64(f.Nodes))
	tell(descTargets, prometheus.GaugeValue, float64(f.Targets))
	tell(descChannels, prometheus.GaugeValue, float64(f.Channels))
	tell(descLocalChannels, prometheus.GaugeValue, float64(f.LocalChannels))
	tell(descInFlight, prometheus.GaugeValue, float64(f.InFlight))
	for status, n := range f.Batches {
		tell(descBatches, prometheus.GaugeValue, float64(n), status)
	}
	for outcome, n := range f.Commands {
		tell(descCommands, prometheus.CounterValue, float64(n), outcome)
	}
	for kind, n := range f.Events {
		tell(descEvents, prometheus.CounterValue, float64(n), kind)
	}
}
