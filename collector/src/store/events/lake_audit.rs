//! Audit entries as Parquet, for people: one row an entry, the provider's own JSON in `original`. Never read back: the landing segment
//! holds the entries as judgement saw them, the evidence store holds the objects that they came in.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use collector_core::model::AuditEntry;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::lake::LakeError;

/// A Parquet file of these entries.
pub fn parquet(entries: &[AuditEntry]) -> Result<Vec<u8>, LakeError> {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let schema = Arc::new(Schema::new(vec![
        Field::new("time", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), false),
        text("source"),
        text("id"),
        text("action"),
        text("source_address"),
        Field::new("denied", DataType::Boolean, false),
        text("object_sha256"),
        text("original"),
    ]));
    let times = entries.iter().map(|entry| i64::try_from(entry.time.ns).unwrap_or(i64::MAX));
    let column = |of: &dyn Fn(&AuditEntry) -> Option<String>| -> ArrayRef {
        Arc::new(entries.iter().map(of).collect::<StringArray>())
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("UTC")),
        column(&|entry| Some(entry.source.to_string())),
        column(&|entry| Some(entry.id.clone())),
        column(&|entry| Some(entry.action.clone())),
        column(&|entry| entry.source_address.map(|address| address.to_string())),
        Arc::new(entries.iter().map(|entry| Some(entry.denied)).collect::<BooleanArray>()),
        column(&|entry| Some(entry.object_sha256.clone())),
        column(&|entry| Some(entry.original.to_string())),
    ];
    let batch = RecordBatch::try_new(schema.clone(), columns)?;
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
    writer.write(&batch)?;
    Ok(writer.into_inner()?)
}
