//! Any bytes as the environment of a process, which whoever starts it chooses. Takes random bytes; what goes into evidence holds no access
//! key id in the clear, and nothing panics.
#![no_main]

use std::sync::LazyLock;

use agent::respond::secret::{HashKey, environment, key_ids, keys_of_environment};
use proto::hash_secret::HashSecret;

static KEY: LazyLock<HashKey> = LazyLock::new(|| HashKey::shared(&HashSecret::of(b"sixteen bytes or more")));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let found = keys_of_environment(bytes, &KEY);
    assert!(found.len() <= bytes.len() / 20 + 1, "more keys than there is room for");
    for variable in environment(bytes, &KEY) {
        let shown = format!("{}={}", variable.name, variable.value.unwrap_or_default());
        assert_eq!(key_ids(shown.as_bytes()).count(), 0, "an access key id is shown: {shown:?}");
    }
});
