//! The bytes on which the kernel programs and the agent agree: records, the settings the agent gives at load, the counters
//! it reads back, the table of hooks. Compiled by both compilers; holds no behaviour but reading and naming.
//!
//! A record is a [`Header`], then the body of its [`Kind`], then a tail of variable length whose pieces the body measures:
//!
//! ```text
//! Header 72 │ Fork 16
//!           │ Exec 96          │ script │ path │ directory │ arguments │ end of the arguments
//!           │ Exit 8
//!           │ Connect 64
//!           │ Accept 48
//!           │ Close 72
//!           │ Datagram 48
//!           │ Dns 64           │ payload
//!           │ ClientHello 64   │ payload
//!           │ SocketBind 56    │ address
//!           │ SocketListen 56  │ address
//!           │ SocketConnect 56 │ address
//!           │ SocketMade 56    │ address
//!           │ FileOpen 80      │ path │ name │ directory
//!           │ FileUnlink 56    │ path │ name │ directory
//!           │ FileRename 96    │ name │ directory │ new name │ new directory
//!           │ FileChmod 64     │ path │ name │ directory
//!           │ FileLink 96      │ name │ directory │ new name │ new directory
//!           │ FileSymlink 96   │ name │ directory │ new name │ new directory
//!           │ FileMade 72      │ path │ name │ directory │ other
//!           │ FileSize 72      │ path │ name │ directory │ other
//!           │ FileOwner 72     │ path │ name │ directory │ other
//!           │ FileTimes 72     │ path │ name │ directory │ other
//!           │ FileAttribute 72 │ path │ name │ directory │ other
//!           │ FileMapped 72    │ path │ name │ directory │ other
//!           │ FileCopied 72    │ path │ name │ directory │ other
//!           │ FileHandle 72    │ path │ name │ directory │ other
//!           │ Credentials 72
//!           │ Reach 40
//!           │ Namespaces 104
//!           │ Root 16          │ four texts
//!           │ Userfault 8
//!           │ Key 24           │ four texts
//!           │ Executable 88    │ four texts
//!           │ Module 24        │ four texts
//!           │ Bpf 48
//!           │ PerfEvent 40
//!           │ Kexec 24         │ four texts
//!           │ UringSetup 16
//!           │ UringRegister 16
//!           │ UringRequest 32  │ four texts
//!           │ Mount 24         │ four texts
//!           │ Sysctl 16        │ four texts
//!           │ Tamper 32
//!           │ CgroupMade 16    │ path
//!           │ CgroupGone 16    │ path
//! ```
//!
//! All numbers are in the machine's order. No type here has padding: slots of a ring hold older records, and padding would
//! carry their bytes out.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod account;
pub mod agent;
pub mod config;
pub mod header;
pub mod hook;
pub mod loss;
pub mod offsets;
pub mod record;
pub mod repeats;

pub use account::Account;
pub use config::Config;
pub use header::{Class, Header, Kind};
pub use offsets::Offsets;
