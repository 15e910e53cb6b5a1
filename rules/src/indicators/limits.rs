//! The bounds on indicator files, each with its reason.
//!
//! Takes and gives constants. Such files are written by others, often far away: none may cost more than these bounds say.

/// Bytes in one file: it is read whole, on a node too. A hundred thousand indicators take some 10 MB as CSV.
pub const FILE_BYTES: usize = 32 * 1024 * 1024;

/// Indicators in one set. Each takes some 200 bytes.
pub const INDICATORS: usize = 250_000;

/// Nesting of arrays and objects. MISP nests nine deep.
pub(super) const NESTING: usize = 32;

/// Bytes of one text, or one line of CSV. A pattern that names hundreds of hashes has some tens of thousands.
pub(super) const TEXT_BYTES: usize = 64 * 1024;

/// Bytes of why an indicator matters that are kept, and of its source: the rest is for those who wrote it.
pub(super) const WHY_BYTES: usize = 500;
pub(super) const SOURCE_BYTES: usize = 100;

/// Bytes of a URL: what common servers take.
pub(super) const URL_BYTES: usize = 2048;

/// Bytes of a domain name, by its standard.
pub(super) const DOMAIN_BYTES: usize = 253;

/// Bytes of a path, by the kernel's own bound.
pub(super) const PATH_BYTES: usize = 4096;

/// Texts of a list that are kept: labels of an indicator.
pub(super) const LIST: usize = 16;

/// Indicators of the same value that are kept beside each other: as many sources are named in one match.
pub(super) const SAME_VALUE: usize = 8;

/// Matches of one event.
pub(super) const HITS: usize = 16;

/// URLs looked for in one command line.
pub(super) const URLS: usize = 16;

/// Errors told of one file; the rest is counted.
pub(super) const ERRORS: usize = 50;
