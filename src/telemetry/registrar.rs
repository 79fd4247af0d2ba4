//! Makes metrics from their declarations and registers each of them once.
//!
//! Invariant: what is registered has the name, type and labels of its declaration. Everything
//! that this file expects is a fact about the constants in [`super::declarations`], which the
//! tests of [`super::metrics`] go through.

use prometheus::core::Collector;
use prometheus::{
    Counter, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry,
};

use super::declarations::{Declaration, MetricKind};
use super::labels::Label;

const DECLARED: &str = "names and labels in declarations are valid and distinct";

/// Registers metrics by their declarations.
pub(super) struct Registrar {
    registry: Registry,
}

impl Registrar {
    /// A registrar without metrics.
    pub(super) fn new() -> Self {
        Self { registry: Registry::new() }
    }

    /// What was registered.
    pub(super) fn into_registry(self) -> Registry {
        self.registry
    }

    fn register<M: Collector + Clone + 'static>(&self, metric: M) -> M {
        self.registry.register(Box::new(metric.clone())).expect(DECLARED);
        metric
    }

    /// A counter of whole things.
    pub(super) fn counter(&self, declared: &Declaration) -> IntCounter {
        let opts = opts(declared, MetricKind::Counter);
        self.register(IntCounter::with_opts(opts).expect(DECLARED))
    }

    /// A counter of seconds.
    pub(super) fn counter_seconds(&self, declared: &Declaration) -> Counter {
        let opts = opts(declared, MetricKind::Counter);
        self.register(Counter::with_opts(opts).expect(DECLARED))
    }

    /// A counter for each value of one label, in the order of the values.
    pub(super) fn counters<const N: usize>(
        &self,
        declared: &Declaration,
        values: [&str; N],
    ) -> [IntCounter; N] {
        let family = self.counter_family(declared);
        values.map(|value| family.with_label_values(&[value]))
    }

    /// A counter for each pair of values of two labels.
    pub(super) fn counters_by_two<const N: usize, const M: usize>(
        &self,
        declared: &Declaration,
        outer: [&str; N],
        inner: [&str; M],
    ) -> [[IntCounter; M]; N] {
        let family = self.counter_family(declared);
        outer.map(|one| inner.map(|two| family.with_label_values(&[one, two])))
    }

    fn counter_family(&self, declared: &Declaration) -> IntCounterVec {
        let opts = opts(declared, MetricKind::Counter);
        self.register(IntCounterVec::new(opts, &names(declared)).expect(DECLARED))
    }

    /// A gauge of whole things.
    pub(super) fn gauge(&self, declared: &Declaration) -> IntGauge {
        let opts = opts(declared, MetricKind::Gauge);
        self.register(IntGauge::with_opts(opts).expect(DECLARED))
    }

    /// A gauge of seconds.
    pub(super) fn gauge_seconds(&self, declared: &Declaration) -> Gauge {
        let opts = opts(declared, MetricKind::Gauge);
        self.register(Gauge::with_opts(opts).expect(DECLARED))
    }

    /// A gauge for each value of one label, in the order of the values.
    pub(super) fn gauges<const N: usize>(
        &self,
        declared: &Declaration,
        values: [&str; N],
    ) -> [IntGauge; N] {
        let family = self.gauge_family(declared);
        values.map(|value| family.with_label_values(&[value]))
    }

    /// Gauges of whole things whose label values come and go with shards.
    pub(super) fn gauge_family(&self, declared: &Declaration) -> IntGaugeVec {
        let opts = opts(declared, MetricKind::Gauge);
        self.register(IntGaugeVec::new(opts, &names(declared)).expect(DECLARED))
    }

    /// Gauges of seconds or ratios whose label values come and go with shards.
    pub(super) fn gauge_seconds_family(&self, declared: &Declaration) -> GaugeVec {
        let opts = opts(declared, MetricKind::Gauge);
        self.register(GaugeVec::new(opts, &names(declared)).expect(DECLARED))
    }

    /// A histogram of seconds.
    pub(super) fn histogram(&self, declared: &Declaration, buckets: &[f64]) -> Histogram {
        assert_eq!(declared.kind, MetricKind::Histogram, "{}", declared.name);
        let opts = HistogramOpts::new(declared.name, declared.help).buckets(buckets.to_vec());
        self.register(Histogram::with_opts(opts).expect(DECLARED))
    }
}

fn opts(declared: &Declaration, kind: MetricKind) -> Opts {
    assert_eq!(declared.kind, kind, "{}", declared.name);
    Opts::new(declared.name, declared.help)
}

fn names(declared: &Declaration) -> Vec<&'static str> {
    declared.labels.iter().map(|label| Label::as_str(*label)).collect()
}
