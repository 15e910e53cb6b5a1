//! The kernel's own description of its types (BTF): just enough of it to find the offset of a member by name. Takes the
//! bytes of `/sys/kernel/btf/*`; gives offsets and sizes. Never panics on bytes that are not what they claim.
//!
//! Layout: <https://www.kernel.org/doc/html/latest/bpf/btf.html>

use std::collections::HashMap;

const MAGIC: u16 = 0xeb9f;
const HEADER: usize = 24;
const INT: u32 = 1;
const ARRAY: u32 = 3;
const STRUCT: u32 = 4;
const UNION: u32 = 5;
const ENUM: u32 = 6;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const POINTER: u32 = 2;
const FUNCTION: u32 = 12;
const PROTOTYPE: u32 = 13;
const VARIABLE: u32 = 14;
const SECTION: u32 = 15;
const DECLARATION_TAG: u32 = 17;
const TYPE_TAG: u32 = 18;
const ENUM_64: u32 = 19;
/// Types around types, and anonymous members in anonymous members: no kernel nests deeper.
const MAX_DEPTH: usize = 16;

/// Why bytes are not a description of types.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BtfError {
    /// Not BTF at all, or of another byte order.
    #[error("no BTF header")]
    Header,
    /// Cut short.
    #[error("type {number} ends beyond the section")]
    Truncated {
        /// The type's number.
        number: usize,
    },
    /// A kind of type that we do not know, so that we cannot step over it.
    #[error("type {number} is of unknown kind {kind}")]
    Kind {
        /// The type's number.
        number: usize,
        /// The kind's number.
        kind: u32,
    },
}

/// All types of the kernel, or those that a module adds to it.
pub(super) struct Types<'a> {
    base: Option<&'a Types<'a>>,
    bytes: Vec<u8>,
    strings: std::ops::Range<usize>,
    /// Where each type begins in `bytes`.
    starts: Vec<usize>,
    /// Structures, typedefs and enumerations by name.
    named: HashMap<String, u32>,
}

#[derive(Clone, Copy)]
struct Type {
    name: u32,
    kind: u32,
    count: usize,
    /// Members' offsets hold a bit-field's size too.
    flagged: bool,
    /// Size, or the type that this one is about.
    size: u32,
    body: usize,
}

impl<'a> Types<'a> {
    /// Steps over all types once. `base`: the kernel's own, where these are a module's.
    pub(super) fn parse(bytes: Vec<u8>, base: Option<&'a Types<'a>>) -> Result<Self, BtfError> {
        let word = |at: usize| word(&bytes, at).map(|value| value as usize).ok_or(BtfError::Header);
        let magic = bytes.get(..2).and_then(|found| found.try_into().ok()).map(u16::from_ne_bytes);
        if magic != Some(MAGIC) {
            return Err(BtfError::Header);
        }
        let header = word(4)?.max(HEADER);
        let types = header.saturating_add(word(8)?)..header.saturating_add(word(8)?).saturating_add(word(12)?);
        let strings = header.saturating_add(word(16)?);
        let strings = strings..strings.saturating_add(word(20)?);
        if types.end > bytes.len() || strings.end > bytes.len() {
            return Err(BtfError::Header);
        }
        let mut found = Self { base, bytes, strings, starts: Vec::new(), named: HashMap::new() };
        found.index(types)?;
        Ok(found)
    }

    fn index(&mut self, types: std::ops::Range<usize>) -> Result<(), BtfError> {
        let mut at = types.start;
        while at < types.end {
            let number = self.starts.len();
            let described = self.read(at).ok_or(BtfError::Truncated { number })?;
            let body = body_length(&described).ok_or(BtfError::Kind { number, kind: described.kind })?;
            let end = described.body.saturating_add(body);
            if end > types.end {
                return Err(BtfError::Truncated { number });
            }
            self.starts.push(at);
            if matches!(described.kind, STRUCT | TYPEDEF | ENUM)
                && let Some(name) = self.string(described.name).filter(|name| !name.is_empty())
            {
                // Two structures of one name are two drivers' own; the core's come first.
                let id = self.first() + u32::try_from(number).unwrap_or(u32::MAX);
                self.named.entry(name.to_owned()).or_insert(id);
            }
            at = end;
        }
        Ok(())
    }

    /// The size of a structure.
    pub(super) fn size_of(&self, structure: &str) -> Option<u32> {
        self.get(self.lookup(structure)?).filter(|found| found.kind == STRUCT).map(|found| found.size)
    }

    /// The offset of a member in bytes, through structures in it with `.` and to one of an array with `[number]`. Members of anonymous
    /// structures count as the structure's own, as in C.
    pub(super) fn offset_of(&self, structure: &str, path: &str) -> Option<u32> {
        let mut id = self.lookup(structure)?;
        let mut offset = 0_u32;
        for step in path.split('.') {
            let (name, number) = step.split_once('[').map_or((step, None), |(name, number)| (name, Some(number)));
            let (bits, inner) = self.member(id, name, 0)?;
            offset = offset.checked_add(bits / 8)?;
            id = inner;
            if let Some(number) = number {
                let (before, each) = self.element(id, number.strip_suffix(']')?.parse().ok()?)?;
                offset = offset.checked_add(before)?;
                id = each;
            }
        }
        Some(offset)
    }

    /// Where one of an array begins, in bytes, and its type.
    fn element(&self, id: u32, number: u32) -> Option<(u32, u32)> {
        let (owner, array) = self.strip(id)?;
        if array.kind != ARRAY || number >= owner.word(array.body + 8)? {
            return None;
        }
        let id = owner.word(array.body)?;
        // All others hold a type where these have their size.
        let (_, each) = self.strip(id).filter(|(_, each)| matches!(each.kind, INT | STRUCT | UNION | ENUM))?;
        Some((each.size.checked_mul(number)?, id))
    }

    /// How many arguments a tracepoint's probe takes, its own context among them.
    pub(super) fn tracepoint_arguments(&self, name: &str) -> Option<usize> {
        let typedef = self.get(self.lookup(&format!("btf_trace_{name}"))?)?;
        let pointer = self.get(typedef.size).filter(|found| found.kind == POINTER)?;
        self.get(pointer.size).filter(|found| found.kind == PROTOTYPE).map(|found| found.count)
    }

    /// Whether programs have a helper function of this name: the kernel numbers them in an enumeration.
    pub(super) fn has_helper(&self, name: &str) -> bool {
        let numbers = self.lookup("bpf_func_id").and_then(|id| self.get(id)).filter(|found| found.kind == ENUM);
        numbers.is_some_and(|numbers| {
            let names = (0..numbers.count).filter_map(|index| self.string(self.word(numbers.body + index * 8)?));
            names.into_iter().any(|found| found == name)
        })
    }

    /// The number of a function.
    pub(super) fn function(&self, name: &str) -> Option<u32> {
        let is_it = |at: &usize| {
            let found = self.read(*at).filter(|found| found.kind == FUNCTION);
            found.is_some_and(|found| self.string(found.name) == Some(name))
        };
        let number = self.starts.iter().position(is_it)?;
        Some(self.first() + u32::try_from(number).ok()?)
    }

    /// The member's offset in bits, and its type.
    fn member(&self, id: u32, name: &str, depth: usize) -> Option<(u32, u32)> {
        let (owner, structure) = self.strip(id)?;
        if !matches!(structure.kind, STRUCT | UNION) || depth > MAX_DEPTH {
            return None;
        }
        for index in 0..structure.count {
            let at = structure.body + index * 12;
            let (member, inner, bits) = (owner.word(at)?, owner.word(at + 4)?, owner.word(at + 8)?);
            let bits = if structure.flagged { bits & 0x00ff_ffff } else { bits };
            match owner.string(member)? {
                "" => {
                    if let Some((more, found)) = self.member(inner, name, depth + 1) {
                        return Some((bits.checked_add(more)?, found));
                    }
                }
                found if found == name => return Some((bits, inner)),
                _ => {}
            }
        }
        None
    }

    /// The type without what is wrapped around it, and whose description holds it.
    fn strip(&self, mut id: u32) -> Option<(&Types<'a>, Type)> {
        for _ in 0..MAX_DEPTH {
            let found = self.get(id)?;
            if !matches!(found.kind, TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG) {
                let owner = if id < self.first() { self.base? } else { self };
                return Some((owner, found));
            }
            id = found.size;
        }
        None
    }

    fn lookup(&self, name: &str) -> Option<u32> {
        self.named.get(name).copied()
    }

    fn get(&self, id: u32) -> Option<Type> {
        if id < self.first() {
            return self.base?.get(id);
        }
        self.read(*self.starts.get((id - self.first()) as usize)?)
    }

    fn read(&self, at: usize) -> Option<Type> {
        let described = self.word(at + 4)?;
        Some(Type {
            name: self.word(at)?,
            kind: described >> 24 & 0x1f,
            count: (described & 0xffff) as usize,
            flagged: described >> 31 == 1,
            size: self.word(at + 8)?,
            body: at + 12,
        })
    }

    /// The number of the first type here. Type 0 is "nothing" and is not described.
    fn first(&self) -> u32 {
        self.base.map_or(1, |base| base.first() + u32::try_from(base.starts.len()).unwrap_or(u32::MAX))
    }

    fn word(&self, at: usize) -> Option<u32> {
        word(&self.bytes, at)
    }

    /// A module's strings go on where the kernel's end.
    fn string(&self, offset: u32) -> Option<&str> {
        let below = self.base.map_or(0, |base| base.strings.len());
        let offset = offset as usize;
        if let Some(base) = self.base.filter(|_| offset < below) {
            return base.string(u32::try_from(offset).ok()?);
        }
        let rest = self.bytes.get(self.strings.clone())?.get(offset - below..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(rest.get(..end)?).ok()
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

/// Bytes behind the common part.
fn body_length(described: &Type) -> Option<usize> {
    Some(match described.kind {
        INT | VARIABLE | DECLARATION_TAG => 4,
        ARRAY => 12,
        STRUCT | UNION | SECTION | ENUM_64 => 12 * described.count,
        ENUM | PROTOTYPE => 8 * described.count,
        // Forwards (7) and floats (16) among them.
        POINTER | 7 | TYPEDEF | VOLATILE | CONST | RESTRICT | FUNCTION | 16 | TYPE_TAG => 0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `struct outer { int a; struct { int b; struct inner c; }; struct inner list[2]; }` and `struct inner { int x; int y; }`, written by
    /// hand.
    fn small() -> Vec<u8> {
        let strings = b"\0outer\0inner\0a\0b\0c\0x\0y\0int\0bpf_func_id\0HELPER\0list\0";
        let name = |text: &str| {
            let wanted = [b"\0", text.as_bytes(), b"\0"].concat();
            strings.windows(wanted.len()).position(|found| found == wanted).expect("a string of the table") + 1
        };
        let mut words: Vec<usize> = vec![name("int"), 1 << 24, 4, 32];
        words.extend([name("inner"), 4 << 24 | 2, 8, name("x"), 1, 0, name("y"), 1, 32]);
        words.extend([0, 4 << 24 | 2, 12, name("b"), 1, 0, name("c"), 2, 32]);
        words.extend([name("outer"), 4 << 24 | 3, 32, name("a"), 1, 0, 0, 3, 32, name("list"), 6, 128]);
        words.extend([name("bpf_func_id"), 6 << 24 | 1, 4, name("HELPER"), 7]);
        words.extend([0, 3 << 24, 0, 2, 1, 2]);
        words.extend([name("x"), (FUNCTION as usize) << 24, 1]);
        let types: Vec<u8> =
            words.iter().flat_map(|word| u32::try_from(*word).expect("a small number").to_ne_bytes()).collect();
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.extend([1, 0]);
        for word in [24, 0, types.len(), types.len(), strings.len()] {
            bytes.extend(u32::try_from(word).expect("a small number").to_ne_bytes());
        }
        [bytes, types, strings.to_vec()].concat()
    }

    #[test]
    fn members_are_found_through_anonymous_structures_and_paths() {
        let types = Types::parse(small(), None).expect("a true description");
        let offsets = ["a", "b", "c", "c.y", "d", "a.x"].map(|path| types.offset_of("outer", path));
        assert_eq!(offsets, [Some(0), Some(4), Some(8), Some(12), None, None]);
        assert_eq!(types.size_of("outer"), Some(32));
        assert_eq!(types.size_of("absent"), None);
    }

    #[test]
    fn one_of_an_array_is_found_by_its_number() {
        let types = Types::parse(small(), None).expect("a true description");
        let paths = ["list[0]", "list[1]", "list[1].y", "list[2]", "list[", "list[x]", "a[0]", "list.x"];
        let offsets = paths.map(|path| types.offset_of("outer", path));
        assert_eq!(offsets, [Some(16), Some(24), Some(28), None, None, None, None, None]);
    }

    #[test]
    fn helpers_are_those_that_the_kernel_numbers() {
        let types = Types::parse(small(), None).expect("a true description");
        assert_eq!(["HELPER", "int", ""].map(|name| types.has_helper(name)), [true, false, false]);
    }

    #[test]
    fn a_function_is_known_by_its_number_and_nothing_else_is_one() {
        let types = Types::parse(small(), None).expect("a true description");
        assert_eq!(["x", "y", "outer"].map(|name| types.function(name)), [Some(7), None, None]);
    }

    #[test]
    fn a_description_cut_anywhere_is_refused() {
        let whole = small();
        for end in 0..whole.len() {
            assert!(Types::parse(whole[..end].to_vec(), None).is_err(), "{end} bytes");
        }
    }

    proptest! {
        #[test]
        fn changed_bytes_never_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
            let mut bytes = small();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(types) = Types::parse(bytes, None) {
                let _offsets = (types.offset_of("outer", "c.y"), types.offset_of("outer", "list[1].y"));
            }
        }
    }
}
