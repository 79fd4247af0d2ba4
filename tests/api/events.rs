//! The stream of changes.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::answers::assert_fits;
use crate::stage::Stage;
use crate::support::Deadline;

/// A stream that is open.
struct Stream {
    stream: TcpStream,
    text: String,
}

/// An event.
#[derive(Debug)]
struct Event {
    name: String,
    id: Option<String>,
    data: Value,
}

impl Stream {
    fn open(stage: &mut Stage, last: Option<&str>) -> Self {
        let last = last.map_or_else(String::new, |id| format!("last-event-id: {id}\r\n"));
        let mut stream = stage.connect();
        let request = format!("GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n{last}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut this = Self { stream, text: String::new() };
        let head = this.until(stage, "\r\n\r\n").expect("a stream begins");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.to_ascii_lowercase().contains("content-type: text/event-stream"), "{head}");
        this
    }

    /// What comes before a mark, which is taken, too; none at the end.
    fn until(&mut self, stage: &mut Stage, mark: &str) -> Option<String> {
        let deadline = Deadline::of_step();
        loop {
            if let Some((before, after)) = self.text.split_once(mark) {
                let (before, after) = (before.to_owned(), after.to_owned());
                self.text = after;
                return Some(before);
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(read) => self.text.push_str(std::str::from_utf8(&bytes[..read]).unwrap()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    stage.fleet.run_turns(1);
                    deadline.wait(|| format!("{mark:?} after {:?}", self.text));
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The next event; none at the end of the stream.
    fn next(&mut self, stage: &mut Stage) -> Option<Event> {
        loop {
            let block = self.until(stage, "\n\n")?;
            // In chunked transfer, lengths stand between; they are on lines of their own.
            let field = |name: &str| {
                let prefix = format!("{name}: ");
                block.lines().find_map(|line| line.strip_prefix(&prefix).map(str::to_owned))
            };
            let Some(name) = field("event") else { continue };
            let data = field("data").unwrap();
            let data =
                serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}"));
            return Some(Event { name, id: field("id"), data });
        }
    }

    /// The next event of a name.
    fn find(&mut self, stage: &mut Stage, name: &str) -> Event {
        loop {
            let event = self.next(stage).unwrap_or_else(|| panic!("the end before {name}"));
            if event.name == name {
                return event;
            }
        }
    }
}

fn live() -> Stage {
    let mut stage = Stage::with_door(1, |door| door);
    stage.fleet.run_turns(100);
    stage
}

#[test]
fn an_alert_comes_when_it_is_committed_and_is_the_topics_own() {
    let mut stage = live();
    let mut stream = Stream::open(&mut stage, None);
    stage.fleet.produce_defective_order("S1", "302-0000001-0000001");
    let event = stream.find(&mut stage, "alert");
    assert_fits("Alert", &event.data);
    assert_eq!(event.data["seller_id"], "S1");
    let lines = stage.fleet.alert_lines();
    let committed: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(event.data, committed);
    let changed = stream.find(&mut stage, "changed");
    assert_fits("Changed", &changed.data);
    assert_eq!(changed.data["sellers"][0][0], "S1");
    let summary = stream.find(&mut stage, "summary");
    assert_fits("Standing", &summary.data);
    assert_eq!(summary.data["accounts"]["total"], 1);
    stage.stop();
}

#[test]
fn a_reader_that_comes_back_gets_what_it_missed_and_nothing_twice() {
    let mut stage = live();
    let mut stream = Stream::open(&mut stage, None);
    stage.fleet.produce_defective_order("S1", "302-0000001-0000001");
    let first = stream.find(&mut stage, "alert");
    drop(stream);
    for (number, seller) in ["S2", "S3"].into_iter().enumerate() {
        stage.fleet.produce_defective_order(seller, &format!("302-0000002-{number:07}"));
    }
    stage.fleet.run_until_quiet();
    let mut stream = Stream::open(&mut stage, first.id.as_deref());
    let missed: Vec<Value> =
        (0..2).map(|_| stream.find(&mut stage, "alert").data["seller_id"].clone()).collect();
    assert!(missed.contains(&"S2".into()) && missed.contains(&"S3".into()), "{missed:?}");
    stage.fleet.produce_defective_order("S4", "302-0000003-0000001");
    assert_eq!(stream.find(&mut stage, "alert").data["seller_id"], "S4");
    stage.stop();
}

#[test]
fn ids_that_are_not_from_here_begin_anew() {
    let mut stage = live();
    for id in ["abc-1", "1", "", "99999999999999999999", "<script>"] {
        let mut stream = Stream::open(&mut stage, Some(id));
        let event = stream.next(&mut stage).unwrap();
        assert_eq!(event.name, "reset", "{id}");
    }
    stage.stop();
}

#[test]
fn a_dead_letter_is_told_without_what_is_in_it() {
    let mut stage = live();
    let mut stream = Stream::open(&mut stage, None);
    let bytes = b"canary, no JSON".to_vec();
    stage.fleet.produce_raw(odrwatch::domain::event::Topic::Claims, Some(bytes));
    let event = stream.find(&mut stage, "dead_letter");
    assert_fits("DeadLetter", &event.data);
    assert!(!event.data.to_string().contains("canary"), "{event:?}");
    stage.stop();
}

#[test]
fn the_end_is_said_and_does_not_wait_for_readers() {
    let mut stage = live();
    let mut stream = Stream::open(&mut stage, None);
    stage.shutdown.send(true).unwrap();
    stream.find(&mut stage, "bye");
    assert!(stream.next(&mut stage).is_none());
    stage.stop();
}

#[test]
fn a_place_is_free_again_when_a_reader_is_gone() {
    let mut stage = Stage::with_door(1, |door| odrwatch::http::Door { most_streams: 1, ..door });
    stage.fleet.run_turns(100);
    let stream = Stream::open(&mut stage, None);
    assert_eq!(stage.get("/api/v1/events").status, 429);
    drop(stream);
    let deadline = Deadline::of_step();
    let ask = "HEAD /api/v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    while stage.ask(ask).status == 429 {
        deadline.wait(|| "the place of a reader that is gone".to_owned());
    }
    stage.stop();
}
