//! Sizes that both ends hold to. A receiver checks them before it parses; a sender never makes anything larger.

/// One `Block`, compressed. A block is what the agent compresses at once; 1 MiB keeps a session's memory small.
pub const BLOCK_BYTES: usize = 1 << 20;

/// One `Block`, decompressed: refuses a compression bomb before it is unpacked.
pub const BLOCK_RAW_BYTES: usize = 8 << 20;

/// Events of one `Block`.
pub const BLOCK_EVENTS: u32 = 65_536;

/// One encoded `Event`: 18 KiB of arguments, two paths of 4 KiB, and room.
pub const EVENT_BYTES: usize = 32 << 10;

/// Bytes of `argv` that a record carries (`Exec.arguments`, with its end).
pub const ARGUMENT_BYTES: usize = 18 << 10;

/// One `ArtifactChunk`'s data.
pub const CHUNK_BYTES: usize = 256 << 10;

/// One artifact. Larger ones are cut by the agent and marked as partial.
pub const ARTIFACT_BYTES: u64 = 1 << 30;

/// Artifacts of one capture.
pub const CAPTURE_ARTIFACTS: usize = 1024;

/// A signed manifest.
pub const MANIFEST_BYTES: usize = 1 << 20;

/// One gRPC message of either side: the largest of the above and its frame.
pub const MESSAGE_BYTES: usize = BLOCK_BYTES + (64 << 10);

/// Names: node, container, rule, order, capture, artifact.
pub const NAME_BYTES: usize = 256;
