//! The bridges' bounds: how far apart two facts may lie and still be one story, and how many of each are kept. Takes and gives constants,
//! each with its reason.

const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// B1: credentials of an instance role are valid for six hours at most; a use after that is of a later credential.
pub const METADATA_WINDOW_NS: u64 = 6 * HOUR;

/// B4: a projected service account token is renewed within the hour and refused after a day at the latest, unless the
/// cluster extends legacy tokens, which the server then says in an annotation.
pub const TOKEN_WINDOW_NS: u64 = 24 * HOUR;

/// B5: between the API server's request and the first program in the container lie kubelet and runtime. Two seconds
/// cover a loaded node; more would take in the next exec of an impatient person.
pub const EXEC_WINDOW_NS: u64 = 2 * SECOND;

/// B6: an access key of a user has no end; one that stood in a process thirty days ago still explains a use today.
pub const KEY_WINDOW_NS: u64 = 30 * 24 * HOUR;

/// C2: a role session lasts twelve hours at most. Keys of users (`AKIA…`) have no end and no window.
pub const SESSION_WINDOW_NS: u64 = 12 * HOUR;

/// How late `CloudTrail` delivers: fifteen minutes by AWS' own word, and a minute for the way to us.
pub const CLOUDTRAIL_LATE_NS: u64 = 16 * MINUTE;

/// How late the cluster's audit log arrives: the webhook batches for thirty seconds, a file is read within a minute.
pub const KUBERNETES_LATE_NS: u64 = 2 * MINUTE;

/// Findings of one caller from one address belong together while no gap is longer than this.
pub const CALLER_GAP_NS: u64 = HOUR;

/// Contacts of one process within this span are one fact: an SDK asks again and again.
pub const CONTACT_SPAN_NS: u64 = 10 * MINUTE;

/// Facts of one kind kept for one node, and requests kept in all. The oldest go first.
pub const FACTS: usize = 4_096;

/// Processes of one node whose parents are kept.
pub const PROCESSES: usize = 65_536;

/// Credentials kept; the one that was used the longest ago goes first.
pub const CREDENTIALS: usize = 65_536;

/// Calls kept for one credential and address: so many of the first, and as many of the last.
pub const CALLS: usize = 128;

/// Addresses kept for one credential. A role of a fleet is called from as many as it has nodes.
pub const ADDRESSES: usize = 256;

/// Calls that one edge cites.
pub const CITED: usize = 16;

/// Ancestors followed from one process.
pub const ANCESTORS: usize = 32;

/// An entity with more strong edges than this is shared by many and joins nothing; exact edges join all the same.
pub const SHARED: usize = 8;

/// Edges given for one question.
pub const EDGES: usize = 4_096;
