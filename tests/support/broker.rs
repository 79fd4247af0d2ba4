//! A real Apache Kafka for one test: a process of its own, on ports and data of its own, gone with
//! the value.
//!
//! The jars, the empty data directory and the class archive come from `scripts/kafka/fetch.sh`,
//! which is called by the first broker of a test program. The command line is the one of
//! `scripts/kafka/env.sh`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{Offset, TopicPartitionList};

use super::certificates::Certificates;
use super::slot::Slot;
use super::topics::client;
use super::{Deadline, process, target};

/// One attempt to reach a starting broker; short, because the next one follows.
const ATTEMPT: Duration = Duration::from_millis(500);

/// A coordinator loads its topic first, and the one for transactions answers after a retry.
const COORDINATOR_ATTEMPT: Duration = Duration::from_secs(30);

/// Settings that only tests want, after those of `scripts/kafka/single-node.properties`: with its
/// default session of 9 s a broker that was killed could not register again for so long.
const TEST_SETTINGS: &[(&str, &str)] =
    &[("broker.session.timeout.ms", "2000"), ("broker.heartbeat.interval.ms", "500")];

/// A single-node broker process.
#[derive(Debug)]
pub struct KafkaBroker {
    /// `None` after `stop` and `kill`.
    process: Option<Child>,
    slot: Slot,
}

/// The TLS listeners of a broker: one that lets everyone in, one that asks for a password.
#[derive(Clone, Debug)]
pub struct TlsListener {
    /// The certificate of the authority that signed the broker's.
    pub ca: PathBuf,
    /// The port on 127.0.0.1 of the listener that lets everyone in.
    pub port: u16,
    /// The port on 127.0.0.1 of the listener that asks for a password.
    pub sasl_port: u16,
}

/// The user that the listener knows by PLAIN, and the password.
pub const PLAIN_USER: (&str, &str) = ("plain-user", "plain-password-5d1f");

impl TlsListener {
    /// Returns the value for `bootstrap.servers`; `security.protocol=ssl` and `ssl.ca.location` go
    /// with it.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Returns the value for `bootstrap.servers` where `security.protocol` is `sasl_ssl`.
    pub fn sasl_bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.sasl_port)
    }
}

impl KafkaBroker {
    /// Starts a broker and waits until it serves groups and transactions.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a broker with more lines in its `server.properties`; they win over the usual ones.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_in(Slot::claim(), "", settings)
    }

    /// Starts a broker with two more listeners that speak TLS; the certificates are written to
    /// `dir`.
    pub fn start_tls(dir: &Path) -> (Self, TlsListener) {
        Self::start_tls_with(dir, &[])
    }

    /// The same with more lines in its `server.properties`; they win over the usual ones.
    pub fn start_tls_with(dir: &Path, settings: &[(&str, &str)]) -> (Self, TlsListener) {
        let certificates = Certificates::write(dir);
        let slot = Slot::claim();
        let [_, _, port, sasl_port] = slot.ports;
        let tls = TlsListener { ca: certificates.ca, port, sasl_port };
        let server = certificates.server.to_str().expect("temporary paths are UTF-8");
        let (user, password) = PLAIN_USER;
        let plain = format!(
            "org.apache.kafka.common.security.plain.PlainLoginModule required \
             user_{user}=\"{password}\";"
        );
        let own = [
            ("ssl.keystore.type", "PEM"),
            ("ssl.keystore.location", server),
            ("ssl.client.auth", "none"),
            (
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL",
            ),
            ("listener.name.sasl_ssl.sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-512"),
            ("listener.name.sasl_ssl.plain.sasl.jaas.config", &plain),
            (
                "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config",
                "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            ),
        ];
        let settings = [&own, settings].concat();
        let listener = format!(",SSL://127.0.0.1:{port},SASL_SSL://127.0.0.1:{sasl_port}");
        (Self::start_in(slot, &listener, &settings), tls)
    }

    /// Starts a broker with a second listener, `SASL_PLAINTEXT` with PLAIN, on which these users
    /// (each with its name as password) may do only what access control allows. Clients of the
    /// plain listener may do everything. Returns the second listener's address too.
    pub fn start_guarded(users: &[String]) -> (Self, String) {
        let slot = Slot::claim();
        let port = slot.ports[2];
        let users: String = users.iter().map(|user| format!(" user_{user}=\"{user}\"")).collect();
        let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
        let login = format!("{module} required{users};");
        let settings = [
            (
                "listener.security.protocol.map",
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT",
            ),
            ("sasl.enabled.mechanisms", "PLAIN"),
            ("listener.name.sasl_plaintext.plain.sasl.jaas.config", &login),
            ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
            ("super.users", "User:ANONYMOUS"),
        ];
        let address = format!("127.0.0.1:{port}");
        (Self::start_in(slot, &format!(",SASL_PLAINTEXT://{address}"), &settings), address)
    }

    /// A command that runs a class of Kafka's, or a Java source file, with Kafka's class path.
    pub fn java(main: &str) -> Command {
        let mut command = Command::new("java");
        command
            .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"])
            .arg(format!("-Dlog4j2.configurationFile={}/log4j2.properties", scripts().display()))
            .arg(format!("-Dkafka.logs.dir={}", std::env::temp_dir().display()))
            .arg(format!("@{}/classpath.args", prepared_home().display()))
            .arg(main)
            .stdin(Stdio::null());
        command
    }

    fn start_in(slot: Slot, listener: &str, settings: &[(&str, &str)]) -> Self {
        let home = prepared_home();
        let [port, controller, ..] = slot.ports;
        let dir = slot.dir.display();
        let mut properties = fs::read_to_string(scripts().join("single-node.properties"))
            .expect("it is part of the repository");
        let own = [
            ("controller.quorum.voters", format!("1@127.0.0.1:{controller}")),
            (
                "listeners",
                format!(
                    "PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listener}"
                ),
            ),
            ("log.dirs", format!("{dir}/data")),
        ];
        let own = own.iter().map(|(key, value)| (*key, value.as_str()));
        for (key, value) in own.chain(TEST_SETTINGS.iter().copied()).chain(settings.iter().copied())
        {
            properties.extend([key, "=", value, "\n"]);
        }
        fs::write(slot.dir.join("server.properties"), properties)
            .expect("the slot's directory is writable");
        copy_data(&home.join("template"), &slot.dir.join("data"));

        let mut broker = Self { process: None, slot };
        broker.launch();
        broker
    }

    /// Returns the value for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.slot.ports[0])
    }

    /// Makes a user known by SCRAM-SHA-512.
    pub fn add_scram_user(&self, name: &str, password: &str) {
        let mut command = Command::new("java");
        command
            .args(["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Xlog:disable"])
            .arg(format!("-Dlog4j2.configurationFile={}/log4j2.properties", scripts().display()))
            .arg(format!("-Dkafka.logs.dir={}/client", self.slot.dir.display()))
            .arg(format!("@{}/classpath.args", home().display()))
            .args(["kafka.admin.ConfigCommand", "--bootstrap-server", &self.bootstrap()])
            .args(["--alter", "--entity-type", "users", "--entity-name", name, "--add-config"])
            .arg(format!("SCRAM-SHA-512=[password={password}]"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = process::spawn(command).expect("java is on the PATH");
        let output = child.wait_with_output().expect("the process is our child");
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }

    /// Returns what the broker logged so far: warnings and errors.
    pub fn log(&self) -> String {
        let log = fs::read_to_string(self.slot.dir.join("server.log")).unwrap_or_default();
        let output = fs::read_to_string(self.slot.dir.join("out.log")).unwrap_or_default();
        log + &output
    }

    /// Stops the broker in order (SIGTERM) and waits for its end.
    pub fn stop(&mut self) {
        self.signal(libc::SIGTERM);
        self.signal(libc::SIGCONT);
        let deadline = Deadline::of_step();
        while self.exit_status().is_none() {
            deadline.wait(|| format!("the end of the broker\n{}", self.log()));
        }
        self.process = None;
    }

    /// Kills the broker at once (SIGKILL); its data stay as they were.
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        let mut process = self.process.take().expect("signal found it");
        process.wait().expect("the process is our child");
    }

    /// Stops the broker's clock (SIGSTOP): connections stay open, nothing is answered.
    pub fn pause(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// Lets a paused broker go on (SIGCONT).
    pub fn resume(&self) {
        self.signal(libc::SIGCONT);
    }

    /// Starts the broker again on the same data and ports, after stopping it if it runs, and waits
    /// as `start` does.
    pub fn restart(&mut self) {
        if self.process.is_some() {
            self.stop();
        }
        self.launch();
    }

    fn signal(&self, signal: libc::c_int) {
        process::signal(self.process.as_ref().expect("it was stopped or killed before"), signal);
    }

    fn exit_status(&mut self) -> Option<ExitStatus> {
        let process = self.process.as_mut().expect("it was launched");
        process.try_wait().expect("the process is our child")
    }

    fn launch(&mut self) {
        assert!(self.process.is_none(), "the broker runs already");
        let dir = &self.slot.dir;
        let output = fs::File::options().create(true).append(true).open(dir.join("out.log"));
        let output = output.expect("the slot's directory is writable");
        let mut command = Command::new("java");
        command
            .args(["-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto", "-Xlog:disable"])
            .args(["-Xlog:all=error:stderr", "-Xmx256m", "-XX:TieredStopAtLevel=1"])
            .arg(format!("-Dlog4j2.configurationFile={}/log4j2.properties", scripts().display()))
            .arg(format!("-Dkafka.logs.dir={}", dir.display()))
            .arg(format!("@{}/classpath.args", home().display()))
            .arg("kafka.Kafka")
            .arg(dir.join("server.properties"))
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("an open file can be cloned"))
            .stderr(output);
        let process = process::spawn(command);
        self.process = Some(process.expect("java is on the PATH; scripts/setup.sh installs it"));
        self.wait_until_ready();
    }

    /// Waits for metadata and for both coordinators, which load their topics after a start.
    fn wait_until_ready(&mut self) {
        let deadline = Deadline::of_step();
        let config = client(&self.bootstrap());
        let consumer: BaseConsumer =
            group_client(&config).create().expect("the settings are valid");
        while !consumer
            .fetch_metadata(None, ATTEMPT)
            .is_ok_and(|metadata| !metadata.brokers().is_empty())
        {
            self.wait_unless_dead(deadline, "metadata");
        }
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_offset("none", 0, Offset::Invalid).expect("the offset is valid");
        while consumer.committed_offsets(partitions.clone(), COORDINATOR_ATTEMPT).is_err() {
            self.wait_unless_dead(deadline, "the group coordinator");
        }
        let mut config = config;
        config.set("transactional.id", "odrwatch-test-warm-up");
        loop {
            let producer: BaseProducer = config.create().expect("the settings are valid");
            if producer.init_transactions(COORDINATOR_ATTEMPT).is_ok() {
                return;
            }
            self.wait_unless_dead(deadline, "the transaction coordinator");
        }
    }

    fn wait_unless_dead(&mut self, deadline: Deadline, awaited: &str) {
        let end = self.exit_status();
        assert!(end.is_none(), "the broker ended ({end:?}) before {awaited} came\n{}", self.log());
        deadline.wait(|| format!("{awaited} of the broker\n{}", self.log()));
    }
}

#[expect(clippy::print_stderr, reason = "the test runner shows it with the failure")]
impl Drop for KafkaBroker {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // Both fail only when it has ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            eprintln!("log of the broker at {}:\n{}", self.bootstrap(), self.log());
        }
    }
}

fn group_client(config: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    config.set("group.id", "odrwatch-test-warm-up");
    config
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka")
}

fn home() -> PathBuf {
    target().join("kafka")
}

/// Returns where the jars and the template are, after making sure of it once.
fn prepared_home() -> PathBuf {
    static PREPARED: Once = Once::new();
    PREPARED.call_once(|| {
        let script = scripts().join("fetch.sh");
        let output = Command::new(&script)
            .env("CARGO_TARGET_DIR", target())
            .stdin(Stdio::null())
            .output()
            .expect("the script is executable");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "the tests need a Kafka broker (JDK 17 and Maven): {said}"
        );
    });
    home()
}

/// Copies a broker's data directory.
fn copy_data(from: &Path, to: &Path) {
    let mut directories = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = directories.pop() {
        fs::create_dir(&to).expect("the slot's directory is writable");
        for entry in fs::read_dir(from).expect("fetch.sh made the template") {
            let entry = entry.expect("the template is readable");
            let target = to.join(entry.file_name());
            if entry.path().is_dir() {
                directories.push((entry.path(), target));
            } else {
                fs::copy(entry.path(), target).expect("the slot's directory is writable");
            }
        }
    }
}
