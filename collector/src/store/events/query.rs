//! What people and reports ask of the events: those of a node, of a container, of a time, at positions. Takes a question; gives events as
//! they were, from Parquet where they are in the lake and from the landing log where not yet. Bounded by a limit.

use std::ops::ControlFlow;

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampNanosecondType, UInt64Type};
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use collector_core::model::{AuditEntry, NodeEvent};
use object_store::ObjectStoreExt;
use object_store::path::Path as ObjectPath;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use super::cursor::LogKey;
use super::frame::{Frame, Kind};
use super::lake::LakeError;
use super::reader::ReadError;
use super::{Events, row, unpack_entries};
use crate::ingest::translate::{self, Place};
use crate::store::state::SegmentRow;

/// Events that one question is answered with, where it does not say.
pub const LIMIT: usize = 10_000;

/// Which events. Everything that is absent is not asked.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Of this node.
    pub node: Option<String>,
    /// Of this log.
    pub log_id: Option<String>,
    /// Of this kind, as the lake calls it.
    pub kind: Option<&'static str>,
    /// In this container, by its full id.
    pub container: Option<String>,
    /// Not earlier.
    pub from_ns: Option<u64>,
    /// Not later.
    pub to_ns: Option<u64>,
    /// At this position or later.
    pub first_position: Option<u64>,
    /// At this position or earlier.
    pub last_position: Option<u64>,
    /// At most so many; [`LIMIT`] where absent.
    pub limit: Option<usize>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The log cannot be read.
    #[error("read the event log")]
    Read(#[from] ReadError),
    /// A Parquet file cannot be read.
    #[error("read {object}")]
    Lake {
        /// Which one.
        object: String,
        /// Why not.
        #[source]
        cause: LakeError,
    },
}

impl Events {
    /// The events that answer a question, in the order in which they arrived.
    pub async fn query(&self, question: &Question) -> Result<Vec<NodeEvent>, QueryError> {
        let limit = question.limit.unwrap_or(LIMIT);
        let mut found = Vec::new();
        self.each(question, |event, _| {
            found.push(event);
            if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .await?;
        found.truncate(limit);
        Ok(found)
    }

    /// Gives each event that answers a question to `take`, with its bytes as the node sent them, until that has enough; holds none. The
    /// question's limit is `take`'s to keep.
    pub async fn each(
        &self,
        question: &Question,
        mut take: impl FnMut(NodeEvent, &[u8]) -> ControlFlow<()> + Send,
    ) -> Result<(), QueryError> {
        let mut stored = 0;
        for row in self.state.segments().await.map_err(ReadError::from)? {
            stored = stored.max(row.last_sequence);
            if overlaps(question, &row) && self.lake(question, &row, &mut take).await?.is_break() {
                return Ok(());
            }
        }
        let mut reader = self.reader(stored);
        loop {
            let frames = reader.ready().await?;
            if frames.is_empty() {
                return Ok(());
            }
            for frame in &frames {
                let answer = |event: NodeEvent, bytes: &[u8]| {
                    if !question.is_answered_by(&event) {
                        return Ok(());
                    }
                    if take(event, bytes).is_break() { Err(()) } else { Ok(()) }
                };
                if translate::each(&frame.meta, &frame.payload, answer).is_err() {
                    return Ok(());
                }
            }
        }
    }

    /// One event by its place.
    pub async fn event(&self, node: &str, log_id: &str, position: u64) -> Result<Option<NodeEvent>, QueryError> {
        let question = Question {
            node: Some(node.to_owned()),
            log_id: Some(log_id.to_owned()),
            first_position: Some(position),
            last_position: Some(position),
            limit: Some(1),
            ..Question::default()
        };
        Ok(self.query(&question).await?.pop())
    }

    /// The frames, as they came, that hold blocks of these positions: what an export proves events with.
    pub async fn blocks(&self, key: &LogKey, first: u64, last: u64) -> Result<Vec<Frame>, QueryError> {
        let holds = |frame: &Frame| {
            frame.meta.kind() == Kind::Block
                && LogKey::of(&frame.meta) == *key
                && frame.meta.first_position <= last
                && first <= frame.meta.last_position()
        };
        let mut found = Vec::new();
        for row in self.state.segments_of(key, first, last).await.map_err(ReadError::from)? {
            let mut reader = self.reader(row.first_sequence - 1);
            while reader.sequence() < row.last_sequence {
                found.extend(
                    reader
                        .ready()
                        .await?
                        .into_iter()
                        .filter(|frame| frame.meta.sequence <= row.last_sequence && holds(frame)),
                );
            }
        }
        let mut reader = self.reader(self.state.stored_sequence().await.map_err(ReadError::from)?);
        loop {
            let frames = reader.ready().await?;
            if frames.is_empty() {
                return Ok(found);
            }
            found.extend(frames.into_iter().filter(holds));
        }
    }

    /// Every audit entry, in the order in which they arrived, that `wanted` says yes to.
    pub async fn entries(&self, wanted: impl Fn(&AuditEntry) -> bool) -> Result<Vec<AuditEntry>, QueryError> {
        let mut found = Vec::new();
        let mut stored = 0;
        for row in self.state.segments().await.map_err(ReadError::from)? {
            stored = stored.max(row.last_sequence);
            if row.audit_object.is_some() {
                let mut reader = self.reader(row.first_sequence - 1);
                while reader.sequence() < row.last_sequence {
                    let frames = reader.ready().await?;
                    found.extend(entries_of(&frames, row.last_sequence).filter(|entry| wanted(entry)));
                }
            }
        }
        let mut reader = self.reader(stored);
        loop {
            let frames = reader.ready().await?;
            if frames.is_empty() {
                return Ok(found);
            }
            found.extend(entries_of(&frames, u64::MAX).filter(|entry| wanted(entry)));
        }
    }

    async fn lake(
        &self,
        question: &Question,
        row: &SegmentRow,
        take: &mut (impl FnMut(NodeEvent, &[u8]) -> ControlFlow<()> + Send),
    ) -> Result<ControlFlow<()>, QueryError> {
        let Some(object) = &row.events_object else {
            return Ok(ControlFlow::Continue(()));
        };
        let stored = self.objects.get(&ObjectPath::from(object.as_str())).await.map_err(ReadError::from)?;
        let bytes = stored.bytes().await.map_err(ReadError::from)?;
        read(question, bytes, take).map_err(|cause| QueryError::Lake { object: object.clone(), cause })
    }
}

impl Question {
    /// Whether an event is one of those asked for.
    pub fn is_answered_by(&self, event: &NodeEvent) -> bool {
        self.node.as_ref().is_none_or(|node| *node == event.node)
            && self.log_id.as_ref().is_none_or(|log_id| *log_id == event.log_id)
            && self.kind.is_none_or(|kind| row::row(&event.body).kind == kind)
            && self.container.as_ref().is_none_or(|id| event.container() == Some(id))
            && self.from_ns.is_none_or(|from| from <= event.time.ns)
            && self.to_ns.is_none_or(|to| event.time.ns <= to)
            && self.first_position.is_none_or(|first| first <= event.position)
            && self.last_position.is_none_or(|last| event.position <= last)
    }

    /// Whether a row group can hold an answer, by its statistics.
    fn can_be_in(&self, group: &RowGroupMetaData) -> bool {
        let within = |name: &str, from: Option<u64>, to: Option<u64>| {
            let column = group.columns().iter().find(|column| column.column_path().string() == name);
            match column.and_then(|column| column.statistics()) {
                Some(Statistics::Int64(range)) => {
                    let bound = |value: Option<&i64>| value.and_then(|value| u64::try_from(*value).ok());
                    let (least, most) = (bound(range.min_opt()), bound(range.max_opt()));
                    from.zip(most).is_none_or(|(from, most)| from <= most)
                        && to.zip(least).is_none_or(|(to, least)| least <= to)
                }
                _ => true,
            }
        };
        within("time", self.from_ns, self.to_ns) && within("position", self.first_position, self.last_position)
    }
}

fn entries_of(frames: &[Frame], until: u64) -> impl Iterator<Item = AuditEntry> {
    let audit = frames.iter().filter(move |frame| frame.meta.kind() == Kind::Audit && frame.meta.sequence <= until);
    audit.flat_map(|frame| unpack_entries(&frame.payload).unwrap_or_default())
}

fn overlaps(question: &Question, row: &SegmentRow) -> bool {
    question.from_ns.is_none_or(|from| from <= row.to_ns) && question.to_ns.is_none_or(|to| row.from_ns <= to)
}

fn read(
    question: &Question,
    bytes: Bytes,
    take: &mut impl FnMut(NodeEvent, &[u8]) -> ControlFlow<()>,
) -> Result<ControlFlow<()>, LakeError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let groups = builder.metadata().row_groups().iter().enumerate();
    let groups = groups.filter(|(_, group)| question.can_be_in(group)).map(|(index, _)| index).collect();
    let columns = ["time", "node", "log_id", "position", "kind", "container", "boot_id", "body", "wire"];
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns);
    for batch in builder.with_row_groups(groups).with_projection(mask).build()? {
        if rows(question, &batch?, take).is_some_and(|go_on| go_on.is_break()) {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

/// The rows that answer; a file without one of the columns is not ours and has no rows for us.
fn rows(
    question: &Question,
    batch: &RecordBatch,
    take: &mut impl FnMut(NodeEvent, &[u8]) -> ControlFlow<()>,
) -> Option<ControlFlow<()>> {
    let text = |name: &str| batch.column_by_name(name)?.as_string_opt::<i32>().cloned();
    let (node, log_id, container) = (text("node")?, text("log_id")?, text("container")?);
    let (boot_id, body, kind) = (text("boot_id")?, text("body")?, text("kind")?);
    let position = batch.column_by_name("position")?.as_primitive_opt::<UInt64Type>()?;
    let time = batch.column_by_name("time")?.as_primitive_opt::<TimestampNanosecondType>()?;
    let wire = batch.column_by_name("wire")?.as_binary_opt::<i32>()?;
    for index in 0..batch.num_rows() {
        let is_container = |id: &String| container.is_valid(index) && container.value(index) == id;
        if question.node.as_ref().is_some_and(|wanted| wanted != node.value(index))
            || question.container.as_ref().is_some_and(|wanted| !is_container(wanted))
            || question.kind.is_some_and(|wanted| wanted != kind.value(index))
        {
            continue;
        }
        let place = Place {
            node: node.value(index),
            log_id: log_id.value(index),
            boot_id: if boot_id.is_valid(index) { boot_id.value(index) } else { "" },
            position: position.value(index),
            time_ns: u64::try_from(time.value(index)).unwrap_or(0),
        };
        let bytes = wire.value(index);
        let event = if bytes.is_empty() {
            translate::told_here(&place, body.value(index))
        } else {
            translate::event(&place, bytes)
        };
        if question.is_answered_by(&event) && take(event, bytes).is_break() {
            return Some(ControlFlow::Break(()));
        }
    }
    Some(ControlFlow::Continue(()))
}
