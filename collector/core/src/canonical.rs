//! The one spelling of a JSON value that hashes are taken over. Takes anything that serialises; gives its bytes with keys in byte order
//! and no spaces, and their sha256. Never depends on how a value was built or on which features of `serde_json` are on.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The canonical bytes of `value`. Whoever checks a hash offline needs only this rule: keys sorted by their bytes, no white space,
/// strings as `serde_json` escapes them.
pub fn bytes(value: &impl Serialize) -> Vec<u8> {
    let value = serde_json::to_value(value).expect("our own types have text keys and finite numbers");
    let mut written = Vec::new();
    write(&value, &mut written);
    written
}

/// sha256 of the canonical bytes, hex.
pub fn digest(value: &impl Serialize) -> String {
    sha256(&bytes(value))
}

/// sha256 of `bytes`, hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn write(value: &Value, written: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            written.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    written.push(b',');
                }
                write(item, written);
            }
            written.push(b']');
        }
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort_unstable();
            written.push(b'{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    written.push(b',');
                }
                written.extend(serde_json::to_vec(key).expect("a string is JSON"));
                written.push(b':');
                write(fields.get(key).expect("the key comes from this map"), written);
            }
            written.push(b'}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            written.extend(serde_json::to_vec(value).expect("a scalar is JSON"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_at_every_depth() {
        let value: Value = serde_json::from_str(r#"{"b": [ {"z":1, "a":"é\n"} ], "a": null}"#).expect("valid");
        assert_eq!(String::from_utf8(bytes(&value)).expect("text"), r#"{"a":null,"b":[{"a":"é\n","z":1}]}"#);
    }
}
