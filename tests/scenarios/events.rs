//! From a line to the records that it stands for, as JSON bytes.
//!
//! The short notation knows the defaults of the tables and nothing of the semantics; whatever it
//! cannot say is written out with `raw`.

use serde_json::{Map, Value, json};

use super::table::number;
use super::times::{Days, instant};

/// The topics, in the order of the specification.
pub const TOPICS: [&str; 4] = ["orders", "feedback", "claims", "chargebacks"];

/// A record before it has its place in a log.
#[derive(Clone, Debug)]
pub struct Message {
    pub topic: usize,
    /// `None` for its seller's.
    pub partition: Option<u32>,
    /// `None` for the next.
    pub offset: Option<i64>,
    pub timestamp_ms: Option<i64>,
    /// Empty where the record names none.
    pub seller: String,
    pub value: Option<Vec<u8>>,
}

/// The number of a topic.
pub fn topic(name: &str) -> Result<usize, String> {
    let found = TOPICS.iter().position(|topic| *topic == name);
    found.ok_or_else(|| format!("{name} is no topic"))
}

/// Reads the line of a record: its time, its words and the text that they were in.
pub fn read(
    time: Option<i64>,
    words: &[&str],
    said: &str,
    days: Days,
) -> Result<Vec<Message>, String> {
    let (name, rest) = words.split_first().ok_or("nothing happens here")?;
    let kind = match *name {
        "order" => 0,
        "feedback" => 1,
        "claim" => 2,
        "chargeback" => 3,
        "tombstone" => return tombstones(time, rest),
        "raw" => return raw(time, rest, said),
        _ => return Err(format!("{name} is no event")),
    };
    let [account, orders, rest @ ..] = rest else {
        return Err("an event has a seller and orders".to_owned());
    };
    let mut line = Line::new(kind, time, account);
    for word in rest {
        line.take(word, days)?;
    }
    let mut messages = Vec::new();
    for order in order_ids(orders)? {
        messages.push(line.message(&order));
    }
    Ok(messages)
}

fn tombstones(time: Option<i64>, words: &[&str]) -> Result<Vec<Message>, String> {
    let (name, keys) = words.split_first().ok_or("a tombstone has a topic")?;
    let topics = if *name == "all" { vec![0, 1, 2, 3] } else { vec![topic(name)?] };
    let mut messages = Vec::new();
    for topic in topics {
        let mut message = plain(topic, time, None);
        for key in keys {
            place(&mut message, key)?;
        }
        messages.push(message);
    }
    Ok(messages)
}

fn raw(time: Option<i64>, words: &[&str], said: &str) -> Result<Vec<Message>, String> {
    let (name, _) = words.split_first().ok_or("raw bytes have a topic")?;
    let start = said.find(&format!("raw {name}")).ok_or("one space after raw")?;
    let mut rest = said[start + "raw ".len() + name.len()..].trim_start();
    let mut message = plain(topic(name)?, time, None);
    while let Some((word, more)) = rest.split_once(' ') {
        if !(word.starts_with("p=") || word.starts_with("offset=")) {
            break;
        }
        place(&mut message, word)?;
        rest = more.trim_start();
    }
    message.value = Some(bytes(rest)?);
    Ok(vec![message])
}

fn plain(topic: usize, timestamp_ms: Option<i64>, value: Option<Vec<u8>>) -> Message {
    Message { topic, partition: None, offset: None, timestamp_ms, seller: String::new(), value }
}

/// Takes `p=` and `offset=`; tells whether the word was one of them.
fn place(message: &mut Message, word: &str) -> Result<bool, String> {
    match word.split_once('=') {
        Some(("p", partition)) => message.partition = Some(number(partition)?),
        Some(("offset", offset)) => message.offset = Some(number(offset)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Text with `\xNN` for a byte and `<<TEXT*N>>` for a text N times.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some(hex) = rest.strip_prefix("\\x") {
            let digits = hex.get(..2).ok_or("two digits after \\x")?;
            out.push(u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?);
            rest = &hex[2..];
        } else if let Some((repeated, more)) =
            rest.strip_prefix("<<").and_then(|more| more.split_once(">>"))
        {
            let (piece, count) = repeated.rsplit_once('*').ok_or("<<TEXT*N>>")?;
            let count: usize = number(count)?;
            out.extend(piece.repeat(count).into_bytes());
            rest = more;
        } else {
            let length = first.len_utf8();
            out.extend_from_slice(&rest.as_bytes()[..length]);
            rest = &rest[length..];
        }
    }
    Ok(out)
}

/// `o1`, `o1..o9`, or several of these with commas.
pub fn order_ids(text: &str) -> Result<Vec<String>, String> {
    let mut ids = Vec::new();
    for part in text.split(',') {
        let Some((first, last)) = part.split_once("..") else {
            ids.push(part.to_owned());
            continue;
        };
        let digits = first.trim_start_matches(|c: char| !c.is_ascii_digit());
        let name = &first[..first.len() - digits.len()];
        let last = last.strip_prefix(name).ok_or_else(|| format!("{part} is no range"))?;
        let (from, to): (u32, u32) = (number(digits)?, number(last)?);
        ids.extend((from..=to).map(|at| format!("{name}{at:0width$}", width = digits.len())));
    }
    Ok(ids)
}

/// What all records of a line have in common.
struct Line {
    message: Message,
    fields: Map<String, Value>,
    kind: usize,
}

impl Line {
    fn new(kind: usize, time: Option<i64>, account: &str) -> Self {
        let (seller, marketplace) = account.split_once('/').unwrap_or((account, ""));
        let mut fields = Map::new();
        if let Some(time) = time {
            fields.insert("event_time".to_owned(), json!(instant(time)));
        }
        fields.insert("seller_id".to_owned(), json!(seller));
        if !marketplace.is_empty() {
            fields.insert("marketplace_id".to_owned(), json!(marketplace));
        }
        match kind {
            0 => {
                fields.insert("fulfillment_channel".to_owned(), json!("MFN"));
                fields.insert("order_status".to_owned(), json!("Shipped"));
            }
            1 => {
                fields.insert("status".to_owned(), json!("posted"));
            }
            _ => {}
        }
        let mut message = plain(kind, time, None);
        seller.clone_into(&mut message.seller);
        Self { message, fields, kind }
    }

    fn take(&mut self, word: &str, days: Days) -> Result<(), String> {
        if place(&mut self.message, word)? {
            return Ok(());
        }
        let Some((key, value)) = word.split_once('=') else {
            self.take_bare(word);
            return Ok(());
        };
        let name = match (key, self.kind) {
            ("event", _) => "event_time",
            ("bought", _) => "purchase_date",
            ("by", _) => "funded_by",
            ("id", 2) => "claim_id",
            ("id", 3) => "chargeback_id",
            _ => key,
        };
        let value = match (name, value) {
            (_, "none") => {
                self.fields.remove(name);
                return Ok(());
            }
            (_, "true") => json!(true),
            (_, "false") => json!(false),
            (_, "null") => Value::Null,
            (_, text) if text.starts_with("text:") => json!(text["text:".len()..]),
            (_, text) if text.starts_with("json:") => serde_json::from_str(&text["json:".len()..])
                .map_err(|error| format!("{text}: {error}"))?,
            ("event_time" | "purchase_date" | "response_time", text) => {
                json!(instant(days.field(text)?))
            }
            (_, text) => json!(text),
        };
        self.fields.insert(name.to_owned(), value);
        Ok(())
    }

    fn take_bare(&mut self, word: &str) {
        let stars = word.strip_suffix('*').and_then(|stars| stars.parse::<u8>().ok());
        let (name, value) = match (self.kind, stars) {
            (0, _) if ["MFN", "AFN", "Merchant", "Amazon"].contains(&word) => {
                ("fulfillment_channel", json!(word))
            }
            (0, _) => ("order_status", json!(word)),
            (_, Some(stars)) => ("rating", json!(stars)),
            _ => ("status", json!(word)),
        };
        self.fields.insert(name.to_owned(), value);
    }

    fn message(&self, order: &str) -> Message {
        let mut fields = self.fields.clone();
        fields.insert("order_id".to_owned(), json!(order));
        let is_bought =
            ["purchase_date", "PurchaseDate"].iter().any(|name| fields.contains_key(*name));
        if self.kind == 0 && !is_bought {
            let event = fields.get("event_time").cloned();
            let recorded = self.message.timestamp_ms.map(|ms| json!(instant(ms)));
            fields.extend(event.or(recorded).map(|time| ("purchase_date".to_owned(), time)));
        }
        Message {
            value: Some(Value::Object(fields).to_string().into_bytes()),
            ..self.message.clone()
        }
    }
}
