//! One DNS message: bytes to what was asked and what was answered (RFC 1035). Takes at most what a packet's record holds; gives a
//! [`Message`], marked where bytes are missing, or nothing where it is none. Never follows a name back to where it was, never panics.

use super::cursor::Cursor;

/// Longest name, as the protocol has it.
const NAME: usize = 255;
/// Names may point to names before them; more than these in one name no server writes.
const JUMPS: usize = 16;
/// Records of an answer that are looked at.
const RECORDS: u16 = 64;
const POINTER: u8 = 0b1100_0000;

const A: u16 = 1;
const CNAME: u16 = 5;
const AAAA: u16 = 28;

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The same in question and answer.
    pub id: u16,
    /// It answers.
    pub answer: bool,
    /// Name of the first question.
    pub name: Vec<u8>,
    /// Type of the first question.
    pub kind: u16,
    /// Of an answer: 0, or why there is none.
    pub code: u8,
    /// A and AAAA.
    pub addresses: Vec<Vec<u8>>,
    /// CNAME.
    pub names: Vec<Vec<u8>>,
    /// There was more, which is not here.
    pub truncated: bool,
}

/// Reads a message. Without one whole question it is none.
pub fn parse(bytes: &[u8]) -> Option<Message> {
    let mut cursor = Cursor::new(bytes);
    let (id, flags) = (cursor.u16()?, cursor.u16()?);
    let (questions, answers) = (cursor.u16()?, cursor.u16()?);
    cursor.skip(4)?;
    if questions == 0 {
        return None;
    }
    let name = name(bytes, &mut cursor)?;
    let kind = cursor.u16()?;
    cursor.skip(2)?;
    let mut message = Message {
        id,
        answer: flags & 0x8000 != 0,
        name,
        kind,
        code: (flags & 0xf) as u8,
        truncated: flags & 0x0200 != 0 || questions > 1 || answers > RECORDS,
        ..Message::default()
    };
    if questions == 1 {
        for _ in 0..answers.min(RECORDS) {
            if record(bytes, &mut cursor, &mut message).is_none() {
                message.truncated = true;
                break;
            }
        }
    }
    Some(message)
}

fn record<'a>(bytes: &'a [u8], cursor: &mut Cursor<'a>, message: &mut Message) -> Option<()> {
    name(bytes, cursor)?;
    let kind = cursor.u16()?;
    cursor.skip(6)?;
    let length = usize::from(cursor.u16()?);
    let mut inner = *cursor;
    let content = cursor.take(length)?;
    match kind {
        A if length == 4 => message.addresses.push(content.to_vec()),
        AAAA if length == 16 => message.addresses.push(content.to_vec()),
        CNAME => message.names.push(name(bytes, &mut inner)?),
        _ => {}
    }
    Some(())
}

/// A name, its labels with dots between. A pointer leads to an earlier place than where the name began or the last one led:
/// whoever points elsewhere points in circles.
fn name<'a>(bytes: &'a [u8], cursor: &mut Cursor<'a>) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut before = cursor.position();
    let mut away: Option<Cursor<'_>> = None;
    let mut jumps = 0;
    loop {
        let here = away.as_mut().unwrap_or(cursor);
        let length = here.u8()?;
        match length & POINTER {
            0 if length == 0 => return Some(text),
            0 => {
                if !text.is_empty() {
                    text.push(b'.');
                }
                for &byte in here.take(usize::from(length))? {
                    if matches!(byte, b'.' | b'\\') {
                        text.push(b'\\');
                    }
                    text.push(byte);
                }
                // Each byte may have been written as two.
                if text.len() > 2 * NAME {
                    return None;
                }
            }
            POINTER => {
                let place = usize::from(length & !POINTER) << 8 | usize::from(here.u8()?);
                jumps += 1;
                if place >= before || jumps > JUMPS {
                    return None;
                }
                before = place;
                away = Some(Cursor::at(bytes, place)?);
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Header, the question `a.b`, and what follows.
    fn message(flags: u16, answers: u16, rest: &[u8]) -> Vec<u8> {
        let [high, low] = flags.to_be_bytes();
        let count = answers.to_be_bytes();
        let header = [0x12, 0x34, high, low, 0, 1, count[0], count[1], 0, 0, 0, 0];
        [&header[..], b"\x01a\x01b\0\0\x1c\0\x01", rest].concat()
    }

    const IN: [u8; 6] = [0, 1, 0, 0, 0, 9];

    fn answer(kind: u16, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).expect("short").to_be_bytes();
        [&[0xc0, 12][..], &kind.to_be_bytes(), &IN, &length, content].concat()
    }

    #[test]
    fn a_question_has_a_name_and_a_type() {
        let found = parse(&message(0x0100, 0, b"")).expect("a message");
        assert_eq!((found.id, found.name.as_slice(), found.kind, found.answer), (0x1234, &b"a.b"[..], 28, false));
        assert!(!found.truncated);
    }

    #[test]
    fn an_answer_has_its_addresses_and_names_through_pointers() {
        let rest = [answer(5, b"\x01x\xc0\x0c"), answer(1, &[10, 0, 0, 1]), answer(28, &[1; 16])].concat();
        let found = parse(&message(0x8183, 3, &rest)).expect("a message");
        assert_eq!((found.answer, found.code, found.truncated), (true, 3, false));
        assert_eq!(found.names, [b"x.a.b"]);
        assert_eq!(found.addresses, [vec![10, 0, 0, 1], vec![1; 16]]);
    }

    #[test]
    fn what_is_missing_is_said_to_be_missing() {
        let rest = answer(1, &[10, 0, 0, 1]);
        let cut = message(0x8180, 2, &rest);
        assert!(parse(&cut).expect("a message").truncated, "the second answer");
        assert!(parse(&message(0x0300, 0, b"")).expect("a message").truncated, "the server says so");
        assert_eq!(parse(&cut[..15]), None, "half of a question");
    }

    #[test]
    fn names_that_point_in_circles_or_forward_are_refused() {
        let header = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for name in [&[0xc0, 12][..], &[0xc0, 14, 0xc0, 12], &[1, b'a', 0xc0, 12], &[0x40, 1], &[0xc0, 99]] {
            assert_eq!(parse(&[&header[..], name, &[0, 1, 0, 1]].concat()), None, "{name:?}");
        }
    }

    #[test]
    fn a_dot_in_a_label_is_not_a_dot_between_labels() {
        let header = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let found = parse(&[&header[..], b"\x03a.b\x01c\0\0\x01\0\x01"].concat()).expect("a message");
        assert_eq!(found.name, b"a\\.b.c");
    }

    #[test]
    fn a_name_longer_than_the_protocols_is_refused() {
        let header = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        let labels: Vec<u8> = std::iter::repeat_n([&[63][..], &[b'x'; 63]].concat(), 9).flatten().collect();
        assert_eq!(parse(&[&header[..], &labels, &[0, 0, 1, 0, 1]].concat()), None);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_message_or_none(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..600)) {
            if let Some(message) = parse(&bytes) {
                proptest::prop_assert!(message.name.len() <= 2 * NAME);
            }
        }
    }
}
