//! The keyword arguments of a plugin call: a pickled dict with one text in it.
//!
//! Polars hands over what Python's pickle made of `{"specification": text}`. Only the opcodes that such a pickle is made
//! of are read, one after the other: a general reader would follow whatever an altered plan holds, to any depth.

use crate::failure::{Code, Failure};

const NAME: &str = "specification";

mod opcode {
    pub const PROTO: u8 = 0x80;
    pub const FRAME: u8 = 0x95;
    pub const EMPTY_DICT: u8 = b'}';
    pub const MARK: u8 = b'(';
    pub const MEMOIZE: u8 = 0x94;
    pub const BINPUT: u8 = b'q';
    pub const LONG_BINPUT: u8 = b'r';
    pub const SHORT_BINUNICODE: u8 = 0x8C;
    pub const BINUNICODE: u8 = b'X';
    pub const BINUNICODE8: u8 = 0x8D;
    pub const SETITEM: u8 = b's';
    pub const SETITEMS: u8 = b'u';
    pub const STOP: u8 = b'.';
}

/// The specification's text.
pub fn specification(pickle: &[u8]) -> Result<&str, Failure> {
    read(pickle).ok_or_else(|| {
        Failure::new(Code::Specification, "the plugin's arguments can't be read")
            .with_hint("the plan comes from another version of tokenkit, or was altered; build the expression again")
    })
}

fn read(pickle: &[u8]) -> Option<&str> {
    let mut rest = pickle;
    let mut texts = [None; 2];
    let mut count = 0;
    loop {
        match take::<1>(&mut rest)?[0] {
            opcode::EMPTY_DICT | opcode::MARK | opcode::MEMOIZE | opcode::SETITEM | opcode::SETITEMS => {}
            opcode::PROTO | opcode::BINPUT => skip(&mut rest, 1)?,
            opcode::LONG_BINPUT => skip(&mut rest, 4)?,
            opcode::FRAME => skip(&mut rest, 8)?,
            opcode::STOP => break,
            text => {
                let length = match text {
                    opcode::SHORT_BINUNICODE => usize::from(take::<1>(&mut rest)?[0]),
                    opcode::BINUNICODE => u32::from_le_bytes(*take(&mut rest)?) as usize,
                    opcode::BINUNICODE8 => usize::try_from(u64::from_le_bytes(*take(&mut rest)?)).ok()?,
                    _ => return None,
                };
                let (bytes, others) = rest.split_at_checked(length)?;
                rest = others;
                *texts.get_mut(count)? = Some(std::str::from_utf8(bytes).ok()?);
                count += 1;
            }
        }
    }
    match texts {
        [Some(NAME), Some(text)] if rest.is_empty() => Some(text),
        _ => None,
    }
}

fn skip(rest: &mut &[u8], count: usize) -> Option<()> {
    *rest = rest.get(count..)?;
    Some(())
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(head)
}
