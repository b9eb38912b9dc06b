//! TensorBoard's event files: scalars and hyperparameters as protocol buffers, in TFRecord framing.
//!
//! Of each message, only the fields that lrsched writes; their numbers are those of `event.proto`, `summary.proto`,
//! `tensor.proto` and the hparams plugin's `plugin_data.proto` (TensorBoard 2.21).

use prost::{Message, Oneof};
use std::collections::BTreeMap;

/// The first event of every file says so.
const VERSION: &str = "brain.Event:2";
/// Tags that TensorBoard's HParams tab reads.
const START_TAG: &str = "_hparams_/session_start_info";
const END_TAG: &str = "_hparams_/session_end_info";
const PLUGIN: &str = "hparams";
/// `DT_FLOAT`.
const FLOAT: i32 = 1;
/// Length, its checksum, and the checksum of the data.
const FRAME: usize = 8 + 4 + 4;

#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    #[prost(int64, tag = "2")]
    pub step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    pub what: Option<What>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
}

#[derive(Clone, PartialEq, Message)]
pub struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Value {
    #[prost(string, tag = "1")]
    pub tag: String,
    #[prost(message, optional, tag = "9")]
    pub metadata: Option<Metadata>,
    #[prost(oneof = "Content", tags = "2, 8")]
    pub content: Option<Content>,
}

#[derive(Clone, PartialEq, Oneof)]
pub enum Content {
    #[prost(float, tag = "2")]
    Simple(f32),
    #[prost(message, tag = "8")]
    Tensor(Tensor),
}

#[derive(Clone, PartialEq, Message)]
pub struct Metadata {
    #[prost(message, optional, tag = "1")]
    pub plugin: Option<PluginData>,
}

#[derive(Clone, PartialEq, Message)]
pub struct PluginData {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(bytes = "vec", tag = "2")]
    pub content: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Tensor {
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Shape {
    #[prost(message, repeated, tag = "2")]
    pub sides: Vec<Side>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Side {
    #[prost(int64, tag = "1")]
    pub size: i64,
}

#[derive(Clone, PartialEq, Message)]
struct HParams {
    #[prost(oneof = "Session", tags = "3, 4")]
    session: Option<Session>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Session {
    #[prost(message, tag = "3")]
    Start(SessionStart),
    #[prost(message, tag = "4")]
    End(SessionEnd),
}

#[derive(Clone, PartialEq, Message)]
struct SessionStart {
    #[prost(btree_map = "string, message", tag = "1")]
    hparams: BTreeMap<String, HParam>,
    #[prost(double, tag = "5")]
    start_time_secs: f64,
}

#[derive(Clone, PartialEq, Message)]
struct SessionEnd {
    #[prost(int32, tag = "1")]
    status: i32,
    #[prost(double, tag = "2")]
    end_time_secs: f64,
}

/// `google.protobuf.Value`.
#[derive(Clone, PartialEq, Message)]
struct HParam {
    #[prost(oneof = "Kind", tags = "2, 3, 4")]
    kind: Option<Kind>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Kind {
    #[prost(double, tag = "2")]
    Number(f64),
    #[prost(string, tag = "3")]
    Text(String),
    #[prost(bool, tag = "4")]
    Switch(bool),
}

/// How a session ended, by TensorBoard's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Success = 1,
    Failure = 2,
}

impl Event {
    /// The first event of a file.
    pub fn version(wall_time: f64) -> Self {
        Self { wall_time, step: 0, what: Some(What::FileVersion(VERSION.to_string())) }
    }

    /// Scalars of one step; those without a value are left out. They are single precision, as everybody's are.
    pub fn scalars(wall_time: f64, step: u64, scalars: &[(&str, Option<f64>)]) -> Self {
        let value = |(tag, value): &(&str, Option<f64>)| {
            let content = Some(Content::Simple((*value)? as f32));
            Some(Value { tag: (*tag).to_string(), metadata: None, content })
        };
        let summary = Summary { values: scalars.iter().filter_map(value).collect() };
        Self { wall_time, step: step.cast_signed(), what: Some(What::Summary(summary)) }
    }

    /// The hyperparameters of a run that begins.
    pub fn start(wall_time: f64, hparams: &serde_json::Map<String, serde_json::Value>) -> Self {
        let kind = |value: &serde_json::Value| match value {
            serde_json::Value::Null => None,
            serde_json::Value::Bool(on) => Some(Kind::Switch(*on)),
            serde_json::Value::Number(number) => number.as_f64().map(Kind::Number),
            serde_json::Value::String(text) => Some(Kind::Text(text.clone())),
            other => Some(Kind::Text(other.to_string())),
        };
        let hparams =
            hparams.iter().filter_map(|(name, value)| Some((name.clone(), HParam { kind: Some(kind(value)?) })));
        let start = SessionStart { hparams: hparams.collect(), start_time_secs: wall_time };
        Self::session(wall_time, START_TAG, Session::Start(start))
    }

    pub fn end(wall_time: f64, ended: Ended) -> Self {
        Self::session(wall_time, END_TAG, Session::End(SessionEnd { status: ended as i32, end_time_secs: wall_time }))
    }

    fn session(wall_time: f64, tag: &str, session: Session) -> Self {
        let plugin =
            PluginData { name: PLUGIN.to_string(), content: HParams { session: Some(session) }.encode_to_vec() };
        let value = Value {
            tag: tag.to_string(),
            metadata: Some(Metadata { plugin: Some(plugin) }),
            // TensorBoard drops a summary without a value: an empty vector.
            content: Some(Content::Tensor(Tensor {
                dtype: FLOAT,
                shape: Some(Shape { sides: vec![Side { size: 0 }] }),
            })),
        };
        Self { wall_time, step: 0, what: Some(What::Summary(Summary { values: vec![value] })) }
    }

    /// The tags of its values.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        let values = match &self.what {
            Some(What::Summary(summary)) => summary.values.as_slice(),
            _ => &[],
        };
        values.iter().map(|value| value.tag.as_str())
    }

    /// Whether it says how a session ended.
    pub fn is_end(&self) -> bool {
        self.tags().any(|tag| tag == END_TAG)
    }

    fn is_version(&self) -> bool {
        self.what == Some(What::FileVersion(VERSION.to_string()))
    }

    /// As a record of an event file: length, checksum of the length, data, checksum of the data.
    pub fn record(&self) -> Vec<u8> {
        let data = self.encode_to_vec();
        let length = (data.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(data.len() + FRAME);
        record.extend(length);
        record.extend(masked(&length).to_le_bytes());
        record.extend(&data);
        record.extend(masked(&data).to_le_bytes());
        record
    }
}

/// TensorFlow's masked CRC-32C.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Whether `bytes` begin as an event file of ours does, or as the beginning of one.
pub fn is_begun(bytes: &[u8]) -> bool {
    match records(bytes).next() {
        Some((event, _)) => event.is_version(),
        None => bytes.len() < Event::version(0.0).record().len(),
    }
}

/// The events of a file, each with where its record ends, up to the first that is incomplete or damaged.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = (Event, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (length, rest) = bytes.get(at..)?.split_first_chunk::<8>()?;
        let (sum, rest) = rest.split_first_chunk::<4>()?;
        let size = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (data, rest) = rest.split_at_checked(size)?;
        let (data_sum, _) = rest.split_first_chunk::<4>()?;
        let sound = u32::from_le_bytes(*sum) == masked(length) && u32::from_le_bytes(*data_sum) == masked(data);
        let event = Event::decode(data).ok().filter(|_| sound)?;
        at += size + FRAME;
        Some((event, at))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_read_back_up_to_the_first_that_is_cut_short_or_damaged() {
        let events =
            [Event::version(1.5), Event::scalars(2.5, 7, &[("epoch_loss", Some(0.25)), ("epoch_momentum", None)])];
        let mut bytes: Vec<u8> = events.iter().flat_map(Event::record).collect();
        let read = |bytes: &[u8]| records(bytes).map(|(event, _)| event).collect::<Vec<_>>();
        assert_eq!(read(&bytes), events);
        assert_eq!(records(&bytes).last().unwrap().1, bytes.len());
        assert_eq!(events[1].tags().collect::<Vec<_>>(), ["epoch_loss"]);
        let first = events[0].record().len();
        assert_eq!(read(&bytes[..bytes.len() - 1]), events[..1]);
        bytes[first + 20] ^= 1;
        assert_eq!(read(&bytes), events[..1]);
    }

    #[test]
    fn the_framing_is_that_of_tensorflow() {
        // tf.io.TFRecordWriter's bytes for the data `a`: length 1, and the masked checksums of both.
        let length = 1_u64.to_le_bytes();
        assert_eq!((masked(&length), masked(b"a")), (1_105_097_985, 686_059_128));
    }

    #[test]
    fn a_file_of_somebody_else_is_not_ours() {
        assert!(is_begun(&[]) && is_begun(&Event::version(3.0).record()[..9]));
        assert!(
            !is_begun(b"a text that is longer than the first record of a file")
                && !is_begun(&Event::scalars(0.0, 0, &[("x", Some(1.0)); 9]).record())
        );
    }
}
