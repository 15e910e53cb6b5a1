-- State of one collector. Times are nanoseconds since 1970, UTC. Bodies are JSON of the core's own types.

CREATE TABLE nodes (
    name          TEXT PRIMARY KEY,
    boot_id       TEXT NOT NULL,
    log_id        TEXT NOT NULL,
    agent_version TEXT NOT NULL,
    signing_key   BLOB NOT NULL,
    instance_id   TEXT NOT NULL,
    addresses     TEXT NOT NULL, -- JSON list
    replay        INTEGER NOT NULL,
    first_seen_ns INTEGER NOT NULL,
    last_seen_ns  INTEGER NOT NULL
) STRICT;

-- Every key that a node ever signed with: a manifest is checked against the one of its own time.
CREATE TABLE node_keys (
    node          TEXT NOT NULL,
    signing_key   BLOB NOT NULL,
    first_seen_ns INTEGER NOT NULL,
    PRIMARY KEY (node, signing_key)
) STRICT;

-- Where each log stood when the last segment went to the lake; the landing log has the rest.
CREATE TABLE cursors (
    node     TEXT NOT NULL,
    log_id   TEXT NOT NULL,
    next     INTEGER NOT NULL,
    link     BLOB NOT NULL,
    boot_id  TEXT NOT NULL,
    time_ns  INTEGER NOT NULL,
    gaps     TEXT NOT NULL, -- JSON list of [first, last]
    PRIMARY KEY (node, log_id)
) STRICT;

-- Segments of the landing log that are in the lake: the blocks as they came, and the Parquet made of them.
CREATE TABLE segments (
    first_sequence INTEGER PRIMARY KEY,
    last_sequence  INTEGER NOT NULL,
    bytes          INTEGER NOT NULL,
    blocks_object  TEXT NOT NULL,
    events_object  TEXT, -- absent where the segment held no event
    audit_object   TEXT,
    events         INTEGER NOT NULL,
    from_ns        INTEGER NOT NULL,
    to_ns          INTEGER NOT NULL
) STRICT;

-- Which block of which log lies in which segment.
CREATE TABLE blocks (
    node           TEXT NOT NULL,
    log_id         TEXT NOT NULL,
    first_position INTEGER NOT NULL,
    last_position  INTEGER NOT NULL,
    segment        INTEGER NOT NULL,
    PRIMARY KEY (node, log_id, first_position, segment)
) STRICT, WITHOUT ROWID;

CREATE TABLE losses (
    node           TEXT NOT NULL,
    log_id         TEXT NOT NULL,
    first_position INTEGER NOT NULL,
    last_position  INTEGER NOT NULL,
    reason         TEXT NOT NULL,
    class          TEXT NOT NULL,
    count          INTEGER NOT NULL,
    from_ns        INTEGER NOT NULL,
    to_ns          INTEGER NOT NULL,
    PRIMARY KEY (node, log_id, first_position, reason, class)
) STRICT, WITHOUT ROWID;

CREATE TABLE findings (id TEXT PRIMARY KEY, rule_id TEXT NOT NULL, time_ns INTEGER NOT NULL, body TEXT NOT NULL) STRICT;
CREATE TABLE edges (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;

-- `key` is what grouping calls the case; the name for people is given once.
CREATE TABLE cases (
    id         TEXT PRIMARY KEY,
    key        TEXT NOT NULL UNIQUE,
    opened_ns  INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL,
    digest     TEXT NOT NULL, -- sha256 of body, hex
    body       TEXT NOT NULL
) STRICT;

CREATE TABLE plans (
    digest     TEXT PRIMARY KEY,
    case_id    TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    body       TEXT NOT NULL
) STRICT;

CREATE TABLE approvals (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    plan_digest TEXT NOT NULL,
    case_id     TEXT NOT NULL,
    given_ns    INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT;

CREATE TABLE outcomes (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    plan_digest TEXT NOT NULL,
    case_id     TEXT NOT NULL,
    step        TEXT NOT NULL,
    finished_ns INTEGER NOT NULL,
    body        TEXT NOT NULL
) STRICT;

CREATE TABLE orders (
    id         TEXT PRIMARY KEY,
    node       TEXT NOT NULL,
    case_id    TEXT NOT NULL,
    sent_ns    INTEGER NOT NULL,
    wire       BLOB NOT NULL, -- the `Order` message
    result     BLOB           -- the `OrderResult` message; absent while waiting
) STRICT;

CREATE TABLE evidence (
    sha256    TEXT PRIMARY KEY,
    size      INTEGER NOT NULL,
    object    TEXT NOT NULL,
    stored_ns INTEGER NOT NULL
) STRICT;

CREATE TABLE artifacts (
    capture_id  TEXT NOT NULL,
    artifact_id TEXT NOT NULL,
    sha256      TEXT NOT NULL,
    node        TEXT NOT NULL,
    kind        TEXT NOT NULL,
    name        TEXT NOT NULL,
    media_type  TEXT NOT NULL,
    PRIMARY KEY (capture_id, artifact_id)
) STRICT;

CREATE TABLE captures (
    id              TEXT PRIMARY KEY,
    node            TEXT NOT NULL,
    envelope        BLOB NOT NULL,
    manifest_sha256 TEXT NOT NULL,
    signing_key     BLOB NOT NULL,
    received_ns     INTEGER NOT NULL
) STRICT;

-- Audit entries that are in the landing log or the lake, each once.
CREATE TABLE audit_entries (
    source        TEXT NOT NULL,
    id            TEXT NOT NULL,
    object_sha256 TEXT NOT NULL,
    time_ns       INTEGER NOT NULL,
    PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;

-- How far each audit file has been read.
CREATE TABLE audit_files (
    source      TEXT NOT NULL,
    path        TEXT NOT NULL,
    size        INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    inode       INTEGER NOT NULL,
    read_bytes  INTEGER NOT NULL,
    trouble     TEXT NOT NULL, -- empty: read without complaint
    PRIMARY KEY (source, path)
) STRICT;

CREATE TABLE progress (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
