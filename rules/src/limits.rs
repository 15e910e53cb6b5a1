//! The bounds on rule text and on what correlations keep, each with its reason.
//!
//! Takes and gives constants. A rule directory is configuration that an attacker with a foothold may be able to write
//! to: no file in it may cost more than these bounds say.

/// Bytes in one file. The longest public rule (a list of malicious packages) has 50 KB.
pub const FILE_BYTES: usize = 256 * 1024;

/// Rules in one engine. Candidates are marked in a bit set on the stack, 512 bytes at this size.
pub const RULES: usize = 4096;

/// Documents in one file. Public collections keep one to a file; correlations bring a handful.
pub const DOCUMENTS: usize = 256;

/// Nesting of lists and maps in a document, example events included. Audit entries nest ten deep.
pub const NESTING: usize = 32;

/// Nodes (keys, values, lists) in one file. The longest public rule has some 1,200.
pub const NODES: usize = 50_000;

/// Keys in one map: duplicates are looked for by comparing each with each. The largest public map has 14.
pub const KEYS: usize = 1000;

/// Values in one rule after expansion (`base64offset` makes three of one). The longest public rule has 1,094.
pub const PATTERNS: usize = 10_000;

/// Bytes in one pattern: a text may have to be compared with it at each of its places. The longest public one has 180.
pub const PATTERN_BYTES: usize = 4096;

/// Bytes of a literal that is compared at each place of a text; a longer one is looked for by an automaton.
pub const COMPARED_BYTES: usize = 128;

/// Bytes that the values of all rules take, about. Those of the 1,311 public ones take 330,000.
pub const ALL_PATTERN_BYTES: usize = 16 * 1024 * 1024;

/// Bytes in the name of a field.
pub const FIELD_BYTES: usize = 512;

/// Paths that stand in for one name of a field.
pub const MAPPED: usize = 8;

/// Bytes of a text in which something is looked for: what stands behind them is seen by comparisons with the whole text
/// and its end alone. No log has entries that are longer; Kubernetes bounds its objects at one and a half times as much.
pub const TEXT_BYTES: usize = 2 * 1024 * 1024;

/// Bytes in one condition. The longest public condition has 180.
pub const CONDITION_BYTES: usize = 4096;

/// Parts that one condition names, each `of` with all that it stands for: every event may have to go through them.
pub const CONDITION_PARTS: usize = 4096;

/// Nesting of brackets and `not` in a condition: the parser recurses once for each.
pub const CONDITION_NESTING: usize = 64;

/// Regular expressions in one rule. No public rule for Linux or a cloud has more than two.
pub const EXPRESSIONS: usize = 64;

/// Bytes a compiled regular expression may take. Unicode classes need some 100 KB; a counted repetition of one can ask
/// for gigabytes.
pub const REGEX_BYTES: usize = 1024 * 1024;

/// Bytes that the expressions of all rules take, about. Those of the 1,311 public ones take 1 MB.
pub const ALL_REGEX_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of an expression times bytes of the text that it looks at: an expression of the common size looks at 2 MiB, one
/// of the largest at 32 KiB.
pub const REGEX_STEPS: usize = 32 * 1024 * 1024 * 1024;

/// Bytes of one regular expression's lazily built automaton, for each thread that evaluates. The node has 64 MiB for
/// all it does.
pub const REGEX_CACHE_BYTES: usize = 256 * 1024;

/// Bytes of literals, over all log sources, that become full tables of about 200 bytes a byte; what is beyond takes a
/// smaller, slower form. The 248 public rules for Linux need 63,000.
pub const TABLE_BYTES: usize = 128 * 1024;

/// Bytes of literals, over all log sources, that an automaton is built for. Rules beyond it are evaluated on every event
/// of their source. The 1,311 public rules need 160,000.
pub const LITERAL_BYTES: usize = 4 * 1024 * 1024;

/// Literals that are found in one text before it is taken to be made of them. A long command line has some dozens.
pub const LITERALS_FOUND: usize = 10_000;

/// Nesting of arrays and objects that is followed into a JSON event. `serde_json` itself stops at 128.
pub const JSON_NESTING: usize = 128;

/// Correlations in one engine. Each may keep groups of its own; the public collections have five.
pub const CORRELATIONS: usize = 1024;

/// Rules that one correlation names. The longest public one names three.
pub const CORRELATED: usize = 32;

/// Fields by which one correlation groups.
pub const GROUP_BY: usize = 8;

/// Correlations upon correlations: one event may have to go through each of them.
pub const CHAIN: usize = 8;

/// Nanoseconds that a correlation may span: 366 days.
pub const SPAN: i64 = 366 * 86_400 * 1_000_000_000;

/// Nanoseconds by which an event may come after later ones of its group and still be counted in full; a correlation of a
/// longer span waits for as long as that. `CloudTrail` promises its entries within a quarter of an hour.
pub const LATENESS: i64 = 15 * 60 * 1_000_000_000;

/// Events of one group that come in a row with times from before what the group keeps, until the group is taken to be of
/// a clock that was wrong and is begun anew.
pub const BEHIND: u8 = 16;

/// Groups of one correlation. Beyond it the one that was longest without an event is given up, and counted.
pub const GROUPS: usize = 16_384;

/// Events that one group keeps. A threshold above it is refused, since it could never be reached.
pub const GROUP_EVENTS: usize = 4096;

/// Bytes that all groups of all correlations take, as reckoned from what they hold. Beyond it the correlation that takes
/// most gives up groups.
pub const STATE_BYTES: usize = 64 * 1024 * 1024;

/// Groups that one event belongs to, where a field that is grouped by has several values.
pub const EVENT_GROUPS: usize = 16;

/// Bytes of one value that is grouped by or counted. A longer one is cut, with a hash of the whole behind it.
pub const VALUE_BYTES: usize = 256;

/// Firings that one event may set off, through all correlations.
pub const EVENT_FIRINGS: usize = 256;

/// Events that a firing names: the latest. How many are left out is said.
pub const FIRING_EVENTS: usize = 100;

/// Identities that one correlation knows to be derived from others.
pub const IDENTITIES: usize = 10_000;

/// Identities that one may be derived through.
pub const DERIVED: usize = 16;
