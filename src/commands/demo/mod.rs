//! `demo`: a synthetic market, and the same worker as `run` on it.
//!
//! Three threads beside each other: the worker; the market, which writes the history and then
//! goes on live (`feed`); and the screen (`screen`). `link` is their way to the broker, in memory
//! or real; `topics` the run's own topics there. Invariants: the data are called synthetic before
//! anything else is said; the computation is that of `run`, from the same configuration.

mod alert;
mod feed;
mod link;
mod names;
mod out;
mod screen;
mod stage;
mod table;
mod topics;
mod words;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use self::feed::Feeder;
use self::link::{Feed, Tail};
use self::names::Names;
use self::out::Out;
use self::screen::Screen;
use self::stage::Stage;
use self::topics::RunName;
use super::args::{DemoArgs, GlobalArgs};
use super::cluster::{self, failure_of_asking};
use super::exit::ExitCode;
use super::failure::Failure;
use super::run::{connector, service_of};
use super::service::{self, Clock, Companion, Service};
use super::{show, start};
use crate::config::{AlertsFrom, Config};
use crate::domain::policy::Policy;
use crate::domain::time::DAY_MS;
use crate::kafka;
use crate::pipeline::board::Board;
use crate::pipeline::ports::{Broker, SourceError};
use crate::sim::story::Market;
use crate::testing::{Cluster, ClusterConfig};

/// Partitions of each topic.
const PARTITIONS: u32 = 4;

/// How long the broker in memory keeps what was read, in ms.
const KEEP_MS: i64 = 60_000;

/// Shows a synthetic market until it is stopped.
///
/// # Errors
/// Why it could not start, or what it stopped for.
pub fn run(args: &DemoArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let mut config = start::load(&start::sources(&args.config))?;
    start::start_quiet_logs(global, &config.log)?;
    let clock = Clock::start();
    let began_ms = clock.now().wall_ms;
    config.engine.workers = 1;
    config.engine.alerts_from = Some(AlertsFrom::Earliest);
    if let Some(bootstrap) = &args.kafka {
        config.kafka.bootstrap_servers.clone_from(bootstrap);
        RunName::at(began_ms).name(&mut config.kafka);
    }
    if let Some(address) = args.http {
        let is_fit = config.http.may_listen(address);
        is_fit.map_err(|error| Failure::new(ExitCode::Config, error).during("--http"))?;
    }
    let (listener, taken) = listen(args.http, config.http.listen)?;
    config.http.listen = listener.local_addr().unwrap_or(config.http.listen);
    let mut out = Out::new(global.color);
    let introduction = introduction(args, &config, taken, &out);
    out.write(&introduction)?;
    if out.is_gone() {
        return Ok(());
    }
    let demo = Demo { args, config: &config, clock, began_ms, listener, out };
    match args.kafka {
        None => demo.in_memory(),
        Some(_) => demo.on_kafka(),
    }
}

/// Takes the address for HTTP; where the configured one is in use, any free port instead, and
/// then tells which one was in use.
fn listen(
    asked: Option<SocketAddr>,
    configured: SocketAddr,
) -> Result<(TcpListener, Option<SocketAddr>), Failure> {
    if let Some(address) = asked {
        return Ok((service::listen(address)?, None));
    }
    if let Ok(listener) = service::listen(configured) {
        return Ok((listener, None));
    }
    let listener = service::listen(SocketAddr::new(configured.ip(), 0))?;
    Ok((listener, Some(configured)))
}

/// One run of the demo.
struct Demo<'a> {
    args: &'a DemoArgs,
    config: &'a Config,
    clock: Clock,
    began_ms: i64,
    listener: TcpListener,
    out: Out,
}

impl Demo<'_> {
    fn in_memory(self) -> Result<(), Failure> {
        let cluster = Cluster::new(ClusterConfig {
            wait_blocks: true,
            keep_ms: Some(KEEP_MS),
            ..ClusterConfig::new(PARTITIONS)
        });
        cluster.set_clock_ms(self.began_ms);
        let (feed, tail) = (Feed::Memory(cluster.clone()), Tail::of(cluster.clone()));
        let connect = move |worker| Ok(cluster.member("demo", worker));
        self.serve(connect, feed, tail)
    }

    fn on_kafka(self) -> Result<(), Failure> {
        let config = self.config;
        let mut facts = topics::create(config, self.args.history_days)?;
        // They are of topics that are kept for long; these go with the demo.
        facts.warnings.clear();
        topics::delete_left_behind(config, self.began_ms);
        let kafka = cluster::settings(config);
        let failed = |error| failure_of_asking(&error);
        let feed = kafka::Feed::connect(&kafka).map_err(failed)?;
        let tail = kafka::AlertTail::connect(&kafka, PARTITIONS).map_err(failed)?;
        self.serve(connector(config, facts), Feed::Kafka(Box::new(feed)), Tail::Kafka(tail))?;
        topics::delete(config);
        Ok(())
    }

    fn serve<B: Broker>(
        self,
        connect: impl Fn(u32) -> Result<B, SourceError> + Clone + Send + 'static,
        feed: Feed,
        tail: Tail,
    ) -> Result<(), Failure> {
        let Self { args, config, clock, began_ms, listener, out } = self;
        let (board, stage) = (Arc::new(Board::default()), Arc::new(Stage::default()));
        let market = market(args, config, began_ms);
        let screen = Screen {
            out,
            tail,
            board: Arc::clone(&board),
            stage: Arc::clone(&stage),
            names: Names::of_cast(market.cast()),
            policy: config.policy.clone(),
            stop_after: args.for_seconds.map(Duration::from_secs),
            clock,
        };
        let feeder =
            Feeder { market, feed, board: Arc::clone(&board), stage: Arc::clone(&stage), clock };
        let companions: Vec<(&str, Companion)> = vec![
            ("market", Box::new(move |shutdown| feeder.run(&shutdown))),
            ("screen", Box::new(move |shutdown| screen.run(&shutdown))),
        ];
        let connect = move |worker| {
            stage.wait_until_open();
            connect(worker)
        };
        // The screen tells of progress.
        let service = Service {
            board: Some(board),
            is_synthetic: true,
            tells_progress: false,
            ..service_of(config, PARTITIONS, config.http.listen)
        };
        service::serve(&service, listener, connect, companions)
    }
}

/// The market, whose history ends so far before the present that its last boundary can close.
fn market(args: &DemoArgs, config: &Config, now_ms: i64) -> Market {
    let end_ms = now_ms - config.engine.boundary.ms() - config.engine.idle_after_ms;
    let start_ms = end_ms - i64::from(args.history_days) * DAY_MS;
    let sellers = usize::try_from(args.sellers).expect("usize has at least 32 bits here");
    let mut market = Market::new(args.seed, sellers, start_ms, end_ms);
    market.set_pace(args.events_per_second);
    market
}

/// What is said before anything else.
fn introduction(args: &DemoArgs, config: &Config, taken: Option<SocketAddr>, out: &Out) -> String {
    let title = "odrwatch demo on synthetic data: sellers, orders and complaints are invented.";
    let title = out.wrap(title, 0);
    let title = title.lines().map(|line| out.paint(line, out::Colour::Bold) + "\n");
    let mut text = title.collect::<String>() + "\n";
    let broker = match &args.kafka {
        Some(bootstrap) => format!("Kafka at {bootstrap}, topics {}-*", config.kafka.group),
        None => "in memory (for a real one: odrwatch demo --kafka HOST:PORT)".to_owned(),
    };
    let sellers = show::count(i64::from(args.sellers), "seller");
    let history = show::count(i64::from(args.history_days), "day");
    let taken = taken.map_or_else(String::new, |port| format!(" ({port} is in use)"));
    let until = match args.for_seconds {
        Some(seconds) => {
            let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
            format!("after {} in real time, or with Ctrl-C", show::count(seconds, "second"))
        }
        None => "with Ctrl-C".to_owned(),
    };
    let mut rows = vec![
        ("market", format!("{sellers}, {history} of history, seed {}", args.seed)),
        ("broker", broker),
        ("pages", format!("http://{}/{taken}", config.http.listen)),
        ("metrics", format!("http://{}/metrics", config.http.listen)),
        ("times", "UTC".to_owned()),
        ("stops", until),
    ];
    if config.policy != Policy::default() {
        let note = "not the shipped one, which the stories are made for";
        rows.push(("policy", note.to_owned()));
    }
    for (name, value) in rows {
        text.push_str(&out.wrap(&format!("  {name:<9}{value}"), 11));
        text.push('\n');
    }
    text.push('\n');
    text
}
