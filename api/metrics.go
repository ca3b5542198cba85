package api

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seed-04209a44/peerd/control"
)

// Source is what the metrics tell of the peer. Its methods are called for each
// scrape, from any goroutine, and must not block for long.
type Source interface {
	Instances() []control.Instance
	DroppedLogBytes() uint64 // since the peer started
}

// FleetSource is a Source that has a controller in its process, now and then.
type FleetSource interface {
	Fleet() (FleetFigures, bool)
}

// FleetFigures are what the metrics tell of a controller: what it sees of its
// fleet, and what this node of it has done since it began.
type FleetFigures struct {
	Identifier               string
	Nodes, Targets, Channels int               // of the fleet
	LocalChannels, InFlight  int               // of this node
	Batches                  map[string]int    // of the fleet, by status
	Commands                 map[string]uint64 // by outcome
	Events                   map[string]uint64 // by kind; primary.elected counts elections
}

// metrics are the server's own counters and the peer's figures, in a registry
// of their own.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	streams  prometheus.Gauge
	cutOff   prometheus.Counter
	overload prometheus.Counter
}

func newMetrics(src Source) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "peerd_api_requests_total", Help: "Answered requests by operation and HTTP status."}, []string{"operation", "status"}),
		streams:  prometheus.NewGauge(prometheus.GaugeOpts{Name: "peerd_api_streams", Help: "Streams open now."}),
		cutOff:   prometheus.NewCounter(prometheus.CounterOpts{Name: "peerd_api_streams_cut_off_total", Help: "Streams ended because the subscriber did not read."}),
		overload: prometheus.NewCounter(prometheus.CounterOpts{Name: "peerd_api_requests_refused_total", Help: "Requests refused because too many were under way."}),
	}
	m.registry.MustRegister(m.requests, m.streams, m.cutOff, m.overload)
	if src != nil {
		m.registry.MustRegister(figures{src})
	}
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

// count makes w count its response under the operation.
func (m *metrics) count(w http.ResponseWriter, operation string) http.ResponseWriter {
	return &counted{ResponseWriter: w, requests: m.requests, operation: operation}
}

// counted counts a response when its header is written.
type counted struct {
	http.ResponseWriter
	requests  *prometheus.CounterVec
	operation string
}

func (c *counted) WriteHeader(status int) {
	c.requests.WithLabelValues(c.operation, strconv.Itoa(status)).Inc()
	c.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the deadlines and Flush.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// figures collects a Source.
type figures struct{ src Source }

var (
	descInstances = prometheus.NewDesc("peerd_instances", "Instances by status.", []string{"status"}, nil)
	descUp        = prometheus.NewDesc("peerd_instance_up", "1 when the instance is running.", []string{"application", "name"}, nil)
	descRestarts  = prometheus.NewDesc("peerd_instance_restarts", "Automatic restarts since an operator last started it.", []string{"application", "name"}, nil)
	descCPU       = prometheus.NewDesc("peerd_instance_cpu_cores", "CPU in use, in cores.", []string{"application", "name"}, nil)
	descMemory    = prometheus.NewDesc("peerd_instance_memory_bytes", "Memory in use.", []string{"application", "name"}, nil)
	descDropped   = prometheus.NewDesc("peerd_log_dropped_bytes_total", "Captured output that could not be stored.", nil, nil)
)

func (figures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descInstances, descUp, descRestarts, descCPU, descMemory, descDropped} {
		ch <- d
	}
	for _, d := range fleetDescs {
		ch <- d
	}
}

func (f figures) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	byStatus := map[string]int{}
	for _, i := range f.src.Instances() {
		byStatus[i.Status]++
		up := 0.0
		if i.Status == "running" {
			up = 1
		}
		gauge(descUp, up, i.Application, i.Name)
		gauge(descRestarts, float64(i.Restarts), i.Application, i.Name)
		gauge(descCPU, i.CPU, i.Application, i.Name)
		gauge(descMemory, float64(i.Memory), i.Application, i.Name)
	}
	for status, n := range byStatus {
		gauge(descInstances, float64(n), status)
	}
	ch <- prometheus.MustNewConstMetric(descDropped, prometheus.CounterValue, float64(f.src.DroppedLogBytes()))
	if fleet, ok := f.src.(FleetSource); ok {
		collectFleet(ch, fleet)
	}
}
