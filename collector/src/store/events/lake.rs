//! One node event as one row of Parquet. Takes events with their bytes; gives a Parquet file whose columns any Parquet engine can ask
//! about. Text that an attacker chose is escaped in the columns for people; `wire` holds the event as its node sent it.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Int32Builder, StringBuilder, UInt32Builder, UInt64Builder};
use arrow_array::{ArrayRef, RecordBatch, TimestampNanosecondArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use collector_core::model::NodeEvent;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::row::{self, Row};

/// Rows of one row group: what a query reads at least.
const GROUP_ROWS: usize = 65_536;

/// Why Parquet could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The rows do not fit together.
    #[error("arrow rows")]
    Arrow(#[from] ArrowError),
    /// The file cannot be written or read.
    #[error("parquet file")]
    Parquet(#[from] ParquetError),
}

/// The columns. A new one is added at the end, so that older files stay readable beside newer ones.
pub fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str, of: DataType| Field::new(name, of, true);
    Arc::new(Schema::new(vec![
        Field::new("time", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), false),
        number("uncertainty_us", DataType::UInt32),
        Field::new("node", DataType::Utf8, false),
        Field::new("log_id", DataType::Utf8, false),
        Field::new("position", DataType::UInt64, false),
        Field::new("kind", DataType::Utf8, false),
        text("origin"),
        text("container"),
        text("boot_id"),
        number("pid", DataType::UInt32),
        number("start_ns", DataType::UInt64),
        number("parent_pid", DataType::UInt32),
        number("parent_start_ns", DataType::UInt64),
        text("exe"),
        number("uid", DataType::UInt32),
        text("entry"),
        text("path"),
        text("argv"),
        text("local_address"),
        number("local_port", DataType::UInt32),
        text("remote_address"),
        number("remote_port", DataType::UInt32),
        number("result", DataType::Int32),
        text("body"),
        Field::new("sequence", DataType::UInt64, false),
        Field::new("wire", DataType::Binary, false),
    ]))
}

/// Builds one file.
pub struct Lake {
    writer: ArrowWriter<Vec<u8>>,
    rows: Columns,
}

impl Lake {
    /// An empty file.
    pub fn new() -> Result<Self, LakeError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_created_by(format!("mayfly {}", env!("CARGO_PKG_VERSION")))
            .set_column_dictionary_enabled("wire".into(), false)
            .set_column_dictionary_enabled("position".into(), false)
            .set_column_dictionary_enabled("time".into(), false)
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), schema(), Some(properties))?;
        Ok(Self { writer, rows: Columns::default() })
    }

    /// Adds a row: the event, the frame it came in, and its bytes as on the wire, which are none for what the collector itself tells.
    pub fn push(&mut self, event: &NodeEvent, sequence: u64, wire: &[u8]) -> Result<(), LakeError> {
        self.rows.push(event, sequence, wire);
        if self.rows.times.len() >= GROUP_ROWS / 8 { self.flush() } else { Ok(()) }
    }

    /// The file's bytes.
    pub fn finish(mut self) -> Result<Vec<u8>, LakeError> {
        self.flush()?;
        Ok(self.writer.into_inner()?)
    }

    fn flush(&mut self) -> Result<(), LakeError> {
        if !self.rows.times.is_empty() {
            self.writer.write(&std::mem::take(&mut self.rows).finish()?)?;
        }
        Ok(())
    }
}

/// The columns while they are filled, in the order of [`schema`].
#[derive(Default)]
struct Columns {
    times: Vec<i64>,
    uncertainty: UInt32Builder,
    node: StringBuilder,
    log_id: StringBuilder,
    position: UInt64Builder,
    kind: StringBuilder,
    origin: StringBuilder,
    container: StringBuilder,
    boot_id: StringBuilder,
    pid: UInt32Builder,
    start_ns: UInt64Builder,
    parent_pid: UInt32Builder,
    parent_start_ns: UInt64Builder,
    exe: StringBuilder,
    uid: UInt32Builder,
    entry: StringBuilder,
    path: StringBuilder,
    argv: StringBuilder,
    local_address: StringBuilder,
    local_port: UInt32Builder,
    remote_address: StringBuilder,
    remote_port: UInt32Builder,
    result: Int32Builder,
    body: StringBuilder,
    sequence: UInt64Builder,
    wire: BinaryBuilder,
}

impl Columns {
    fn push(&mut self, event: &NodeEvent, sequence: u64, wire: &[u8]) {
        self.times.push(i64::try_from(event.time.ns).unwrap_or(i64::MAX));
        self.uncertainty.append_value(event.time.uncertainty_us);
        self.node.append_value(&event.node);
        self.log_id.append_value(&event.log_id);
        self.position.append_value(event.position);
        self.container.append_option(event.container());
        let actor = event.actor.as_ref();
        let parent = actor.and_then(|actor| actor.parent.as_ref());
        self.origin.append_option(actor.map(row::origin));
        self.boot_id.append_option(actor.map(|actor| actor.process.boot_id.as_str()));
        self.pid.append_option(actor.map(|actor| actor.process.pid));
        self.start_ns.append_option(actor.map(|actor| actor.process.start_ns));
        self.parent_pid.append_option(parent.map(|parent| parent.pid));
        self.parent_start_ns.append_option(parent.map(|parent| parent.start_ns));
        self.exe.append_option(actor.map(|actor| row::text(&actor.executable)));
        self.uid.append_option(actor.map(|actor| actor.uid));
        self.entry.append_option(actor.map(|actor| actor.entry.name()));
        let body = row::row(&event.body);
        self.push_body(Row { result: body.result.filter(|_| !event.attempt), ..body });
        self.sequence.append_value(sequence);
        self.wire.append_value(wire);
    }

    fn push_body(&mut self, row: Row) {
        self.kind.append_value(row.kind);
        self.path.append_option(row.path);
        self.argv.append_option(row.argv);
        self.local_address.append_option(row.flow.map(|flow| flow.local.to_string()));
        self.local_port.append_option(row.flow.map(|flow| flow.local_port.into()));
        self.remote_address.append_option(row.flow.map(|flow| flow.remote.to_string()));
        self.remote_port.append_option(row.flow.map(|flow| flow.remote_port.into()));
        self.result.append_option(row.result);
        self.body.append_option(row.rest);
    }

    fn finish(mut self) -> Result<RecordBatch, ArrowError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(TimestampNanosecondArray::from(self.times).with_timezone("UTC")),
            Arc::new(self.uncertainty.finish()),
            Arc::new(self.node.finish()),
            Arc::new(self.log_id.finish()),
            Arc::new(self.position.finish()),
            Arc::new(self.kind.finish()),
            Arc::new(self.origin.finish()),
            Arc::new(self.container.finish()),
            Arc::new(self.boot_id.finish()),
            Arc::new(self.pid.finish()),
            Arc::new(self.start_ns.finish()),
            Arc::new(self.parent_pid.finish()),
            Arc::new(self.parent_start_ns.finish()),
            Arc::new(self.exe.finish()),
            Arc::new(self.uid.finish()),
            Arc::new(self.entry.finish()),
            Arc::new(self.path.finish()),
            Arc::new(self.argv.finish()),
            Arc::new(self.local_address.finish()),
            Arc::new(self.local_port.finish()),
            Arc::new(self.remote_address.finish()),
            Arc::new(self.remote_port.finish()),
            Arc::new(self.result.finish()),
            Arc::new(self.body.finish()),
            Arc::new(self.sequence.finish()),
            Arc::new(self.wire.finish()),
        ];
        RecordBatch::try_new(schema(), columns)
    }
}
