//! The API server's audit events (`audit.k8s.io/v1`), as it writes them to a file (one a line) or posts them (`EventList`). Takes bytes;
//! gives entries with the original untouched, and says what could not be read. Pure, bounded before parsed, never panics.

use collector_core::model::{AuditEntry, AuditSource, Moment};
use serde_json::Value;

use crate::connect::audit::{Parsed, address};

/// One event. etcd refuses objects larger than 1.5 MiB, and an event holds a request and a response at most.
pub const EVENT_BYTES: usize = 4 << 20;

/// One object: a chunk of a log, or the body of a post (the API server's batches have 10 MiB).
pub const OBJECT_BYTES: usize = 32 << 20;

/// Troubles that are told one by one; more are only counted.
const TROUBLES: usize = 20;

/// The events of a chunk of whole lines. `file` names it in what is said about trouble.
pub fn parse(file: &str, object: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    if object.len() > OBJECT_BYTES {
        parsed.troubles.push(format!("{file}: {} bytes, more than {OBJECT_BYTES}", object.len()));
        return parsed;
    }
    let sha256 = address(object);
    for (index, line) in object.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let entry = if line.len() > EVENT_BYTES {
            Err(format!("longer than {EVENT_BYTES} bytes"))
        } else {
            serde_json::from_slice(line).map_err(|cause| cause.to_string()).and_then(|event| entry(event, &sha256))
        };
        match entry {
            Ok(entry) => parsed.entries.push(entry),
            Err(why) => parsed.troubles.push(format!("{file}, line {}: {why}", index + 1)),
        }
    }
    bounded(file, parsed)
}

/// The events of a posted `EventList`.
pub fn parse_list(object: &[u8]) -> Parsed {
    let mut parsed = Parsed::default();
    if object.len() > OBJECT_BYTES {
        parsed.troubles.push(format!("event list: {} bytes, more than {OBJECT_BYTES}", object.len()));
        return parsed;
    }
    let list: Value = match serde_json::from_slice(object) {
        Ok(list) => list,
        Err(cause) => {
            parsed.troubles.push(format!("event list: {cause}"));
            return parsed;
        }
    };
    let Some(Value::Array(items)) = list.get("items") else {
        parsed.troubles.push("event list: no `items`".to_owned());
        return parsed;
    };
    let sha256 = address(object);
    for (index, item) in items.iter().enumerate() {
        match entry(item.clone(), &sha256) {
            Ok(entry) => parsed.entries.push(entry),
            Err(why) => parsed.troubles.push(format!("event list, item {}: {why}", index + 1)),
        }
    }
    bounded("event list", parsed)
}

fn bounded(file: &str, mut parsed: Parsed) -> Parsed {
    if parsed.troubles.len() > TROUBLES {
        let more = parsed.troubles.len() - TROUBLES;
        parsed.troubles.truncate(TROUBLES);
        parsed.troubles.push(format!("{file}: {more} more"));
    }
    parsed
}

/// One stage of one request is one entry: its id is the request's with the stage. Its time is when the request came, which is what a
/// process on a node is compared with; an `exec` ends much later.
fn entry(event: Value, sha256: &str) -> Result<AuditEntry, String> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let needed = |pointer: &str| {
        text(pointer).filter(|value| !value.is_empty()).ok_or_else(|| format!("no `{}`", &pointer[1..]))
    };
    let (audit_id, stage, verb) = (needed("/auditID")?, needed("/stage")?, needed("/verb")?);
    let time = text("/requestReceivedTimestamp").or_else(|| text("/stageTimestamp"));
    let time = time.ok_or("no `requestReceivedTimestamp`")?;
    let moment: jiff::Timestamp = time.parse().map_err(|_| format!("{time:?} is no time"))?;
    let ns = u64::try_from(moment.as_nanosecond()).map_err(|_| "its time is before 1970".to_owned())?;
    let action = match (text("/objectRef/resource"), text("/objectRef/subresource")) {
        (Some(resource), Some(subresource)) => format!("{verb} {resource}/{subresource}"),
        (Some(resource), None) => format!("{verb} {resource}"),
        (None, _) => {
            format!("{verb} {}", text("/requestURI").unwrap_or_default().split('?').next().unwrap_or_default())
        }
    };
    let code = event.pointer("/responseStatus/code").and_then(Value::as_u64);
    let entry = AuditEntry {
        source: AuditSource::Kubernetes,
        id: format!("{audit_id}/{stage}"),
        time: Moment { ns, uncertainty_us: 1 },
        action,
        source_address: text("/sourceIPs/0").and_then(|address| address.parse().ok()),
        denied: matches!(code, Some(401 | 403)),
        original: Value::Null,
        object_sha256: sha256.to_owned(),
    };
    Ok(AuditEntry { original: event, ..entry })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXEC: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"u-1","stage":"ResponseStarted","verb":"create",
"requestURI":"/api/v1/namespaces/shop/pods/web/exec?command=sh","sourceIPs":["203.0.113.9"],"user":{"username":"alice"},
"objectRef":{"resource":"pods","subresource":"exec","name":"web","namespace":"shop"},"responseStatus":{"code":101},
"requestReceivedTimestamp":"2026-11-21T18:10:23.123456Z","ofTheFuture":true}"#;

    #[test]
    fn a_line_and_a_list_say_the_same() {
        let line = EXEC.replace('\n', "");
        let of_line = parse("f", line.as_bytes()).entries.remove(0);
        let of_list = parse_list(format!(r#"{{"kind":"EventList","items":[{line}]}}"#).as_bytes()).entries.remove(0);
        assert_eq!((&of_line.id[..], &of_line.action[..]), ("u-1/ResponseStarted", "create pods/exec"));
        assert_eq!(of_line.original["ofTheFuture"], true);
        assert_eq!(AuditEntry { object_sha256: of_line.object_sha256.clone(), ..of_list }, of_line);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let parsed = parse("audit.log", b"{\"auditID\":\"a\"}\nnot json\n");
        assert_eq!(parsed.troubles[0], "audit.log, line 1: no `stage`");
        assert!(parsed.troubles[1].starts_with("audit.log, line 2: expected"), "{:?}", parsed.troubles);
        assert_eq!(parse_list(b"{}").troubles, ["event list: no `items`"]);
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..512)) {
            drop((parse("f", &bytes), parse_list(&bytes)));
        }
    }
}
