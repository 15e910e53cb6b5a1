//! A body of the nouns privilege and kernel with the texts behind it: bytes to what borrows from them.

use ebpf_common::header::{Header, Kind};
use ebpf_common::record::{TEXTS, Texts};
use zerocopy::FromBytes;

use super::{Malformed, fixed};

/// Plain fields, and texts whose meaning stands at the body's type in `ebpf_common::record`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worded<'a, T> {
    /// Plain fields.
    pub fixed: T,
    /// The texts, empty where there is none.
    pub texts: [&'a [u8]; TEXTS],
}

pub(super) fn worded<'a, T: FromBytes>(
    kind: Kind,
    header: &Header,
    rest: &'a [u8],
    lengths: impl Fn(&T) -> Texts,
) -> Result<Worded<'a, T>, Malformed> {
    let (fixed, mut tail) = fixed::<T>(kind, header, rest)?;
    let mut texts = [&[][..]; TEXTS];
    for (text, length) in texts.iter_mut().zip(lengths(&fixed)) {
        *text = tail.take(length)?;
    }
    tail.end()?;
    Ok(Worded { fixed, texts })
}
