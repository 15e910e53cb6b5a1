//! Bytes that are read from the front, never beyond their end. Takes any bytes; gives numbers, big-endian, and pieces.

/// A place in some bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    whole: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    /// At their begin.
    pub(super) fn new(whole: &'a [u8]) -> Self {
        Self { whole, position: 0 }
    }

    /// At a place in them.
    pub(super) fn at(whole: &'a [u8], position: usize) -> Option<Self> {
        (position < whole.len()).then_some(Self { whole, position })
    }

    /// Where it stands.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// The next bytes.
    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.position.checked_add(length)?;
        let piece = self.whole.get(self.position..end)?;
        self.position = end;
        Some(piece)
    }

    /// Passes the next bytes.
    pub(super) fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length).map(drop)
    }

    /// The next byte.
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    /// The next two.
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }
}
