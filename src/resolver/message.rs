//! DNS messages (RFC 1035): one question about one name, and what an answer says. Pure; an answer
//! comes from the network, so nothing in it is believed to be where it should be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const HEADER: usize = 12;
const RECURSION_DESIRED: u16 = 0x0100;
const CLASS_INTERNET: u16 = 1;
const NO_ERROR: u16 = 0;
const NO_SUCH_NAME: u16 = 3;
const CNAME: u16 = 5;
/// More than anybody gives a name; which of them to connect to is decided later.
const MOST_ADDRESSES: usize = 100;
/// The longest name in a message, in bytes.
const LONGEST_NAME: usize = 255;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    fn record_type(self) -> u16 {
        match self {
            Self::V4 => 1,
            Self::V6 => 28,
        }
    }

    fn address(self, data: &[u8]) -> Option<IpAddr> {
        Some(match self {
            Self::V4 => Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).into(),
            Self::V6 => Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).into(),
        })
    }
}

/// What one server says to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Addresses(Vec<IpAddr>),
    /// There is no such name, or it has no address of this family.
    Denied,
    /// The server does not know, or does not want to say.
    Failed,
    /// It did not fit: these, and perhaps more.
    Truncated(Vec<IpAddr>),
}

/// A question, as it is sent.
pub(super) struct Question {
    family: Family,
    pub(super) bytes: Vec<u8>,
}

impl Question {
    /// `None` if DNS cannot carry the name.
    pub(super) fn new(id: u16, name: &str, family: Family) -> Option<Self> {
        let mut bytes = Vec::with_capacity(HEADER + name.len() + 6);
        // The question is one, and there are no records.
        for number in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
            bytes.extend(number.to_be_bytes());
        }
        for label in name.split('.') {
            let length = u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length));
            bytes.push(length?);
            bytes.extend(label.as_bytes());
        }
        bytes.push(0);
        for number in [family.record_type(), CLASS_INTERNET] {
            bytes.extend(number.to_be_bytes());
        }
        (name.len() < 254).then_some(Self { family, bytes })
    }

    /// Reads an answer; `None` if it is not one to this question.
    pub(super) fn read(&self, message: &[u8]) -> Option<Answer> {
        let mut reader = Reader { message, at: 0 };
        let (id, flags) = (reader.number()?, reader.number()?);
        let (questions, answers) = (reader.number()?, reader.number()?);
        let (is_answer, code) = (flags & 0x8000 != 0, flags & 0x000f);
        let is_standard = flags & 0x7800 == 0;
        if self.bytes.get(..2)? != id.to_be_bytes() || !is_answer || !is_standard {
            return None;
        }
        reader.at = HEADER;
        // Some servers leave the question out when they report an error.
        if questions == 0 && code != NO_ERROR && code != NO_SUCH_NAME {
            return Some(Answer::Failed);
        }
        let asked = &self.bytes[HEADER..];
        if questions != 1 || !reader.bytes(asked.len())?.eq_ignore_ascii_case(asked) {
            return None;
        }
        match code {
            NO_ERROR => {}
            NO_SUCH_NAME => return Some(Answer::Denied),
            _ => return Some(Answer::Failed),
        }
        let (addresses, is_whole) = self.addresses(&mut reader, answers);
        if flags & 0x0200 != 0 {
            return Some(Answer::Truncated(addresses));
        }
        // Neither an authority nor one who would ask it: this server is the wrong one.
        let refers_elsewhere = flags & 0x0480 == 0;
        Some(match addresses.is_empty() {
            false => Answer::Addresses(addresses),
            true if is_whole && !refers_elsewhere => Answer::Denied,
            true => Answer::Failed,
        })
    }

    /// The addresses of the name, with aliases followed, and whether all records could be read.
    /// Records of other names are ignored.
    fn addresses(&self, reader: &mut Reader<'_>, answers: u16) -> (Vec<IpAddr>, bool) {
        let mut addresses = Vec::new();
        let mut wanted = Reader { message: &self.bytes, at: HEADER }.name();
        for _ in 0..answers {
            let Some(Record { owner, kind, data, target }) = reader.record() else {
                return (addresses, false);
            };
            if Some(owner) != wanted {
                continue;
            }
            if kind == [CNAME, CLASS_INTERNET] {
                wanted = target;
            } else if kind == [self.family.record_type(), CLASS_INTERNET] {
                addresses.extend(self.family.address(data));
            }
            if addresses.len() == MOST_ADDRESSES {
                break;
            }
        }
        (addresses, true)
    }
}

/// One answer.
struct Record<'a> {
    /// The name that the record is about, in the form of `Reader::name`.
    owner: Vec<u8>,
    /// Type and class.
    kind: [u16; 2],
    data: &'a [u8],
    /// The name at the beginning of the data, if there is one.
    target: Option<Vec<u8>>,
}

struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let bytes = self.message.get(self.at..)?.get(..count)?;
        self.at += count;
        Some(bytes)
    }

    fn number(&mut self) -> Option<u16> {
        self.bytes(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn record(&mut self) -> Option<Record<'a>> {
        let owner = self.name()?;
        let kind = [self.number()?, self.number()?];
        let _time_to_live = self.bytes(4)?;
        let length = self.number()?;
        let target = Reader { ..*self }.name();
        Some(Record { owner, kind, data: self.bytes(length.into())?, target })
    }

    /// Reads a name: labels in lower case, each after its length. Pointers are followed if they
    /// point backwards, so that a loop of them ends.
    fn name(&mut self) -> Option<Vec<u8>> {
        let (mut name, mut at, mut end) = (Vec::new(), self.at, None);
        loop {
            match usize::from(*self.message.get(at)?) {
                0 => break,
                length @ 1..64 => {
                    name.extend(self.message.get(at..=at + length)?.to_ascii_lowercase());
                    at += 1 + length;
                }
                high @ 192.. => {
                    end.get_or_insert(at + 2);
                    let earlier = (high - 192) << 8 | usize::from(*self.message.get(at + 1)?);
                    at = Some(earlier).filter(|earlier| *earlier < at)?;
                }
                _ => return None,
            }
            if name.len() > LONGEST_NAME {
                return None;
            }
        }
        self.at = end.unwrap_or(at + 1);
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "worker.example";

    fn question(family: Family) -> Question {
        Question::new(0x1234, NAME, family).unwrap()
    }

    /// Owner, type and data.
    type Record = (&'static [u8], u16, &'static [u8]);

    fn answer(question: &Question, flags: u16, records: &[Record]) -> Vec<u8> {
        let mut bytes = question.bytes.clone();
        bytes[2..4].copy_from_slice(&flags.to_be_bytes());
        bytes[7] = u8::try_from(records.len()).unwrap();
        for (owner, kind, data) in records {
            bytes.extend(*owner);
            bytes.extend([kind.to_be_bytes(), [0, 1], [0, 0], [0, 60]].concat());
            bytes.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            bytes.extend(*data);
        }
        bytes
    }

    const FINE: u16 = 0x8180;
    /// Pointers to the name in the question, and to what follows its first label.
    const SAME: &[u8] = b"\xc0\x0c";
    const OTHER: &[u8] = b"\x05Other\xc0\x13";
    const ALIAS: Record = (SAME, CNAME, OTHER);
    const V4: Record = (SAME, 1, &[10, 0, 0, 1]);
    const V4_OF_OTHER: Record = (b"\x05oTHER\x07EXAMPLE\0", 1, &[10, 0, 0, 2]);

    #[test]
    fn a_question_is_as_the_standard_has_it() {
        let bytes = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x06worker\x07example\0\0\x1c\0\x01";
        assert_eq!(question(Family::V6).bytes, bytes);
    }

    #[test]
    fn a_name_that_dns_cannot_carry_is_no_question() {
        let long = "a.".repeat(127) + "a";
        for name in ["", ".", "a..b", ".a", "a.", &"a".repeat(64), &long] {
            assert!(Question::new(0, name, Family::V4).is_none(), "{name}");
        }
        assert!(Question::new(0, &long[2..], Family::V4).is_some());
    }

    #[test]
    fn only_addresses_of_the_name_or_of_its_alias_count() {
        let question = question(Family::V4);
        let (of_other_family, too_short) = ((SAME, 28, &[0; 16][..]), (SAME, 1, &[10, 0, 0][..]));
        let found = |records: &[Record]| match question.read(&answer(&question, FINE, records)) {
            Some(Answer::Addresses(found)) => found.iter().map(IpAddr::to_string).collect(),
            other => vec![format!("{other:?}")],
        };
        assert_eq!(found(&[of_other_family, too_short, V4]), ["10.0.0.1"]);
        assert_eq!(found(&[ALIAS, V4_OF_OTHER]), ["10.0.0.2"]);
        assert_eq!(found(&[V4, V4_OF_OTHER]), ["10.0.0.1"]);
        let nowhere = (b"\xc0\xff".as_slice(), 1, &[10, 0, 0, 3][..]);
        let itself = (b"\xc0\x20".as_slice(), 1, &[10, 0, 0, 3][..]);
        for (records, expected) in [
            (&[V4_OF_OTHER][..], "Some(Denied)"),
            (&[ALIAS, V4], "Some(Denied)"),
            (&[ALIAS, (OTHER, CNAME, SAME), ALIAS], "Some(Denied)"),
            (&[nowhere], "Some(Failed)"),
            (&[itself], "Some(Failed)"),
        ] {
            assert_eq!(found(records), [expected]);
        }
    }

    #[test]
    fn of_very_many_addresses_the_first_count() {
        let question = question(Family::V4);
        let Some(Answer::Addresses(found)) = question.read(&answer(&question, FINE, &[V4; 200]))
        else {
            panic!("there are addresses");
        };
        assert_eq!(found.len(), MOST_ADDRESSES);
    }

    #[test]
    fn what_an_answer_without_addresses_means() {
        let question = question(Family::V4);
        for (flags, expected) in [
            (0x8183, Answer::Denied),
            (FINE, Answer::Denied),
            (0x8400, Answer::Denied),
            (0x8100, Answer::Failed),
            (0x8181, Answer::Failed),
            (0x8182, Answer::Failed),
            (0x8184, Answer::Failed),
            (0x8185, Answer::Failed),
            (0x8380, Answer::Truncated(Vec::new())),
        ] {
            let message = answer(&question, flags, &[]);
            assert_eq!(question.read(&message), Some(expected.clone()), "{flags:x}");
            let aliased = question.read(&answer(&question, flags, &[ALIAS]));
            assert_eq!(aliased, Some(expected), "{flags:x}");
        }
        let mut bare = answer(&question, 0x8182, &[])[..HEADER].to_vec();
        bare[5] = 0;
        assert_eq!(question.read(&bare), Some(Answer::Failed));
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let question = question(Family::V4);
        let good = answer(&question, FINE, &[V4]);
        for place in [0, 1, 2, 5, 13, HEADER + NAME.len() + 3] {
            let mut other = good.clone();
            other[place] ^= 0x81;
            assert_eq!(question.read(&other), None, "{place}");
        }
        assert_eq!(question.read(&question.bytes), None, "it is not an answer");
        let mut shouted = good.clone();
        shouted[HEADER + 1] = b'W';
        assert!(question.read(&shouted).is_some());
    }

    #[test]
    fn an_answer_cut_anywhere_or_damaged_anywhere_is_read_without_a_panic() {
        let question = question(Family::V4);
        let good = answer(&question, FINE, &[ALIAS, V4_OF_OTHER, V4_OF_OTHER]);
        for end in 0..good.len() {
            let found = question.read(&good[..end]);
            assert!(found.is_none() || found != question.read(&good), "{end}");
        }
        for place in 0..good.len() {
            for byte in 0..=255 {
                let mut damaged = good.clone();
                damaged[place] = byte;
                question.read(&damaged);
            }
        }
    }
}
