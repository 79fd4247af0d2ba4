//! The bridge: alerts from their topic to a webhook or an Alertmanager, at least once.
//!
//! ```text
//!   AlertLog (committed only, own group) ─> lanes ─> courier ─HTTP─> receiver
//!          ^                                  │
//!          └────── commit what was taken ─────┘
//! ```
//!
//! Invariants:
//! - An offset is committed only after every alert before it was taken, or given up and counted.
//! - A failure is tried again without end, with growing waits; while the receiver fails, one try
//!   at a time is made. Only what the receiver itself rejects is given up, after
//!   [`MOST_REJECTIONS`].
//! - The alerts of one account arrive in their order; those of others do not wait for them.
//! - Whatever befalls the bridge, the computing of alerts goes on.
//!
//! Absent on purpose: Kafka and threads, which belong to the caller, and any state on disk.

pub mod alertmanager;
mod backoff;
pub mod courier;
mod lanes;
pub mod signature;
mod webhook;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tracing::{debug, error, info, warn};

use alertmanager::{Active, Sender};
use backoff::Backoff;
use courier::{Courier, Message, Said};
use lanes::{Lanes, Parcel};

use crate::domain::ids::{NextOffset, ShardNo};
use crate::pipeline::alert_log::{AlertLog, FirstStart, ReadFrom};
use crate::pipeline::ports::SourceError;
use crate::telemetry::bridge_metrics::{Answer, BridgeMetrics, Fate};
use crate::telemetry::health::HealthBoard;

/// How often a receiver must reject one and the same alert until it is given up.
pub const MOST_REJECTIONS: u32 = 5;

/// How long to sleep when nothing happens.
const TICK: Duration = Duration::from_millis(20);

/// Between two commits, in ms.
const COMMIT_MS: i64 = 500;

/// Alerts that are read from one partition in one turn.
const AT_ONCE: usize = 100;

/// The pause after a partition could not be opened, and after the group was lost, in ms.
const OPEN_AGAIN_MS: i64 = 250;
const CONNECT_AGAIN: Duration = Duration::from_secs(5);

/// How long what is under way is waited for at the end, in ms.
const GRACE_MS: i64 = 3_000;

/// Failures in a row from which on the service calls itself degraded.
const DEGRADED_AFTER: u32 = 3;

/// Heartbeats that may be missed until the heartbeat's alert ends.
const HEARTBEATS: i64 = 5;

/// What kind of receiver it is.
#[derive(Clone, Debug)]
pub enum Receiver {
    /// It takes each alert as it is in the topic.
    Webhook,
    /// It takes alerts in its own form.
    Alertmanager {
        /// Between two repetitions of all that is up, in ms.
        repeat_ms: i64,
        /// Whether an alert that is always up goes with them.
        has_heartbeat: bool,
        /// Who sends.
        sender: Sender,
    },
}

/// What the bridge is told.
#[derive(Clone, Debug)]
pub struct BridgeConfig {
    /// The receiver.
    pub receiver: Receiver,
    /// The name of the topic of alerts.
    pub topic: String,
    /// From where a partition is read at the very first.
    pub first: FirstStart,
    /// Alerts that may be under way at once.
    pub concurrency: usize,
    /// The longest wait between two tries, in ms.
    pub max_backoff_ms: u64,
}

/// The bridge of a process.
pub struct Bridge {
    config: BridgeConfig,
    courier: Arc<Courier>,
    metrics: BridgeMetrics,
    health: Arc<HealthBoard>,
    started: Instant,
    openings: u64,
}

/// Both clocks, in ms.
#[derive(Clone, Copy, Debug)]
struct Now {
    wall: i64,
    mono: i64,
}

/// What is under way between a log and the receiver.
struct Traffic {
    lanes: Lanes,
    active: Active,
    wanted: BTreeSet<ShardNo>,
    backoff: Backoff,
    /// Failures of the receiver in a row, and until when it is left alone.
    failures: u32,
    quiet_until: i64,
    open_again: i64,
    commit_at: i64,
    repeat_at: i64,
}

impl Bridge {
    /// A bridge that carries nothing yet.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "an adapter: when to try again")]
    pub fn new(
        config: BridgeConfig,
        courier: Arc<Courier>,
        metrics: BridgeMetrics,
        health: Arc<HealthBoard>,
    ) -> Self {
        metrics.enable();
        Self { config, courier, metrics, health, started: Instant::now(), openings: 0 }
    }

    #[expect(clippy::disallowed_methods, reason = "an adapter: when to try again, and since when")]
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { wall: as_ms(wall), mono: as_ms(self.started.elapsed()) }
    }

    /// Carries alerts until it is asked to stop; a log that fails is connected anew.
    pub async fn run(
        &mut self,
        connect: &dyn Fn() -> Result<Box<dyn AlertLog>, SourceError>,
        is_over: impl Fn() -> bool,
    ) {
        while !is_over() {
            let result = match connect() {
                Ok(mut log) => {
                    let result = self.carry(log.as_mut(), &is_over).await;
                    log.close();
                    result
                }
                Err(error) => Err(error),
            };
            self.metrics.set_partitions(0);
            let Err(error) = result else { return };
            error!(%error, "the bridge cannot read the topic of alerts: it connects anew");
            self.health.set_bridge_trouble(Some(format!("alerts are not sent on: {error}")));
            let until = self.now().mono + as_ms(CONNECT_AGAIN);
            while !is_over() && self.now().mono < until {
                tokio::time::sleep(TICK).await;
            }
        }
    }

    /// Carries alerts from one log.
    async fn carry(
        &mut self,
        log: &mut dyn AlertLog,
        is_over: &impl Fn() -> bool,
    ) -> Result<(), SourceError> {
        let mut traffic = Traffic::new(self.config.max_backoff_ms);
        let mut under_way = FuturesUnordered::new();
        let mut over_at = None;
        loop {
            let now = self.now();
            if is_over() {
                let until = *over_at.get_or_insert(now.mono + GRACE_MS);
                if under_way.is_empty() || now.mono >= until {
                    break;
                }
            }
            self.follow_group(log, &mut traffic, now)?;
            self.read(log, &mut traffic, now)?;
            let is_due = self.repeats_every().is_some() && now.mono >= traffic.repeat_at;
            if is_due && under_way.is_empty() && now.mono >= traffic.quiet_until {
                self.repeat(&mut traffic, now).await;
            } else if !is_due && over_at.is_none() {
                for parcel in self.start(&mut traffic, under_way.len(), now) {
                    let message = self.message(&traffic.active, &parcel, now);
                    under_way.push(deliver(Arc::clone(&self.courier), parcel, message, now));
                }
            }
            if now.mono >= traffic.commit_at {
                traffic.commit_at = now.mono + COMMIT_MS;
                let commits = traffic.commits(log);
                log.commit(&commits)?;
            }
            self.tell(log, &traffic, now);
            tokio::select! {
                Some((parcel, said)) = under_way.next(), if !under_way.is_empty() => {
                    self.finish(&mut traffic, &parcel, &said);
                }
                () = tokio::time::sleep(TICK) => {}
            }
        }
        let commits = traffic.commits(log);
        log.commit(&commits)
    }

    /// Follows the group: what is not ours any more is forgotten, what is new is opened.
    fn follow_group(
        &mut self,
        log: &mut dyn AlertLog,
        traffic: &mut Traffic,
        now: Now,
    ) -> Result<(), SourceError> {
        if let Some(shards) = log.poll()? {
            traffic.lanes.keep(&shards);
            traffic.active.keep(&shards);
            self.metrics.set_partitions(shards.len());
            info!(partitions = shards.len(), "the bridge has partitions of the topic of alerts");
            traffic.wanted = shards;
        }
        let is_new = |shard: &&ShardNo| !traffic.lanes.is_open(**shard);
        let Some(shard) = traffic.wanted.iter().find(is_new).copied() else { return Ok(()) };
        if now.mono < traffic.open_again {
            return Ok(());
        }
        let from = match self.config.receiver {
            Receiver::Webhook => ReadFrom::Undelivered,
            Receiver::Alertmanager { .. } => ReadFrom::Beginning,
        };
        match log.open(shard, self.config.first, from) {
            Ok(opened) => {
                if opened.lost > 0 {
                    let (topic, lost) = (&self.config.topic, opened.lost);
                    let partition = shard.get();
                    error!(topic, partition, lost, "retention took alerts that were not sent");
                    self.metrics.fate(Fate::Lost, lost);
                }
                self.openings += 1;
                traffic.lanes.open(shard, opened.next, self.openings);
            }
            Err(error @ (SourceError::NotReady(_) | SourceError::Unavailable(_))) => {
                debug!(%error, "a partition of alerts is opened again");
                traffic.open_again = now.mono + OPEN_AGAIN_MS;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn read(
        &self,
        log: &mut dyn AlertLog,
        traffic: &mut Traffic,
        now: Now,
    ) -> Result<(), SourceError> {
        for shard in traffic.lanes.shards() {
            let most = traffic.lanes.room(shard).min(AT_ONCE);
            if most == 0 {
                continue;
            }
            let (lanes, active) = (&mut traffic.lanes, &mut traffic.active);
            let read = log.read(shard, most, &mut |alert| {
                if lanes.wants(&alert) {
                    lanes.add(alert, now.mono);
                } else if let Receiver::Alertmanager { sender, .. } = &self.config.receiver {
                    active.note(&alert, sender);
                }
            });
            match read {
                Ok(_) => {}
                Err(error @ (SourceError::NotReady(_) | SourceError::Unavailable(_))) => {
                    debug!(%error, "alerts are read again");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The alerts that are to be sent now.
    fn start(&self, traffic: &mut Traffic, under_way: usize, now: Now) -> Vec<Parcel> {
        let most = match traffic.failures {
            0 => self.config.concurrency,
            _ if now.mono >= traffic.quiet_until => 1,
            _ => 0,
        };
        traffic.lanes.take_due(now.mono, most.saturating_sub(under_way))
    }

    /// What is sent of an alert.
    fn message(
        &self,
        active: &Active,
        parcel: &Parcel,
        now: Now,
    ) -> Result<Message, alertmanager::Unreadable> {
        let (topic, alert) = (&self.config.topic, &parcel.alert);
        match &self.config.receiver {
            Receiver::Webhook => Ok(webhook::message(topic, alert)),
            Receiver::Alertmanager { sender, .. } => {
                active.message(alert, sender, webhook::id(topic, alert), now.wall)
            }
        }
    }

    /// Notes what became of a try.
    fn finish(&self, traffic: &mut Traffic, parcel: &Parcel, said: &Said) {
        let now = self.now();
        self.metrics.tried(said.answer, now.wall);
        match said.answer {
            Answer::Taken => {
                self.receiver_took(traffic);
                self.delivered(traffic, parcel);
            }
            Answer::Rejected => {
                // It answers, and it is this alert that it does not take.
                self.receiver_took(traffic);
                if parcel.rejections + 1 >= MOST_REJECTIONS {
                    self.give_up(traffic, parcel, said);
                } else {
                    let wait = traffic.backoff.after(parcel.tries + 1);
                    traffic.lanes.again(parcel, now.mono + wait, true);
                }
            }
            Answer::Failed | Answer::Busy | Answer::Refused => {
                let wait = self.receiver_failed(traffic, said);
                traffic.quiet_until = now.mono + wait;
                // One that alone is not taken must not come before others each time.
                let own = traffic.backoff.after(parcel.tries + 1).max(wait);
                traffic.lanes.again(parcel, now.mono + own, false);
            }
        }
    }

    fn delivered(&self, traffic: &mut Traffic, parcel: &Parcel) {
        if !traffic.lanes.done(parcel) {
            // Its partition was given away meanwhile: who has it sends it once more.
            return;
        }
        self.metrics.fate(Fate::Delivered, 1);
        if let Receiver::Alertmanager { sender, .. } = &self.config.receiver {
            traffic.active.note(&parcel.alert, sender);
        }
    }

    /// Passes over an alert that is never taken. It stays in its topic.
    fn give_up(&self, traffic: &mut Traffic, parcel: &Parcel, said: &Said) {
        if !traffic.lanes.done(parcel) {
            return;
        }
        let (topic, alert) = (&self.config.topic, &parcel.alert);
        let (id, answer) = (webhook::id(topic, alert), &said.words);
        let (partition, offset) = (alert.shard.get(), alert.offset.get());
        error!(
            topic,
            partition,
            offset,
            id,
            answer,
            tries = parcel.tries + 1,
            "the receiver rejects an alert: it is given up, and stays in its topic"
        );
        self.metrics.fate(Fate::GivenUp, 1);
    }

    fn receiver_took(&self, traffic: &mut Traffic) {
        if traffic.failures > 0 {
            info!(failures = traffic.failures, "the receiver of alerts answers again");
            traffic.failures = 0;
            traffic.quiet_until = 0;
            self.health.set_bridge_trouble(None);
        }
    }

    /// Notes that the receiver takes nothing; returns how long to leave it alone, in ms.
    fn receiver_failed(&self, traffic: &mut Traffic, said: &Said) -> i64 {
        traffic.failures = traffic.failures.saturating_add(1);
        let failures = traffic.failures;
        // 1, 2, 4, 8, ...: an outage of hours is some lines.
        if failures.is_power_of_two() {
            let (answer, kind) = (&said.words, said.answer.as_str());
            warn!(failures, kind, answer, "the receiver of alerts takes nothing: trying again");
        }
        if failures >= DEGRADED_AFTER {
            let trouble = format!("the receiver takes no alerts: {}", said.words);
            self.health.set_bridge_trouble(Some(trouble));
        }
        traffic.backoff.after(failures).max(said.wait_ms.unwrap_or(0))
    }

    /// How often what is up is repeated, in ms, if it is.
    fn repeats_every(&self) -> Option<i64> {
        match self.config.receiver {
            Receiver::Webhook => None,
            Receiver::Alertmanager { repeat_ms, .. } => Some(repeat_ms),
        }
    }

    /// Sends everything that is up once more. Nothing else is under way, so that what clears an
    /// alert never arrives before what repeats it.
    async fn repeat(&self, traffic: &mut Traffic, now: Now) {
        let Receiver::Alertmanager { repeat_ms, has_heartbeat, sender } = &self.config.receiver
        else {
            return;
        };
        traffic.repeat_at = now.mono + repeat_ms;
        let heartbeat = has_heartbeat.then_some(repeat_ms.saturating_mul(HEARTBEATS));
        debug!(alerts = traffic.active.count(), "repeating what is up");
        for message in traffic.active.repetitions(sender, heartbeat, now.wall) {
            let said = self.courier.carry(message, self.now().wall).await;
            let now = self.now();
            self.metrics.tried(said.answer, now.wall);
            match said.answer {
                Answer::Taken => self.receiver_took(traffic),
                Answer::Rejected => {
                    warn!(answer = said.words, "the receiver rejects what was repeated");
                }
                Answer::Failed | Answer::Busy | Answer::Refused => {
                    let wait = self.receiver_failed(traffic, &said);
                    traffic.quiet_until = now.mono + wait;
                    traffic.repeat_at = traffic.quiet_until;
                    return;
                }
            }
        }
    }

    fn tell(&self, log: &mut dyn AlertLog, traffic: &Traffic, now: Now) {
        let (held, since) = traffic.lanes.waiting();
        let shards = traffic.lanes.shards();
        let unread = |shard: &ShardNo| log.position(*shard).and_then(|(_, left)| left);
        let unread: u64 = shards.iter().filter_map(unread).sum();
        let waiting = u64::try_from(held).unwrap_or(u64::MAX).saturating_add(unread);
        self.metrics.set_waiting(waiting, since.map_or(0, |since| (now.mono - since).max(0)));
    }
}

/// Sends one alert, once.
async fn deliver(
    courier: Arc<Courier>,
    parcel: Parcel,
    message: Result<Message, alertmanager::Unreadable>,
    now: Now,
) -> (Parcel, Said) {
    let said = match message {
        Ok(message) => courier.carry(message, now.wall).await,
        // No repetition would make it readable, and it is given up like one that is rejected.
        Err(error) => Said { answer: Answer::Rejected, wait_ms: None, words: error.to_string() },
    };
    (parcel, said)
}

impl Traffic {
    fn new(max_backoff_ms: u64) -> Self {
        Self {
            lanes: Lanes::default(),
            active: Active::default(),
            wanted: BTreeSet::new(),
            backoff: Backoff::new(max_backoff_ms),
            failures: 0,
            quiet_until: 0,
            open_again: 0,
            commit_at: 0,
            repeat_at: 0,
        }
    }

    fn commits(&mut self, log: &mut dyn AlertLog) -> Vec<(ShardNo, NextOffset)> {
        self.lanes.take_commits(|shard| log.position(shard).map(|(next, _)| next))
    }
}

fn as_ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
