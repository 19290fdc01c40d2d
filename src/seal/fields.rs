//! The fields of a payload, one after the other: numbers big-endian, texts with their length before them.

use super::Forged;
use heapless::Vec;
use std::fmt;

/// The payload has no room for another field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the payload has no room for another field")
    }
}

impl std::error::Error for Full {}

/// Writes fields into a buffer of at most `N` bytes. Running out of room shows at [`Writer::finish`].
#[derive(Debug, Default)]
pub struct Writer<const N: usize> {
    bytes: Vec<u8, N>,
    is_full: bool,
}

impl<const N: usize> Writer<N> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Writer { bytes: Vec::new(), is_full: false }
    }

    /// One byte.
    pub fn u8(self, value: u8) -> Self {
        self.array(&[value])
    }

    /// Two bytes.
    pub fn u16(self, value: u16) -> Self {
        self.array(&value.to_be_bytes())
    }

    /// Four bytes.
    pub fn u32(self, value: u32) -> Self {
        self.array(&value.to_be_bytes())
    }

    /// Eight bytes.
    pub fn u64(self, value: u64) -> Self {
        self.array(&value.to_be_bytes())
    }

    /// Bytes whose number both sides know.
    pub fn array<const M: usize>(mut self, value: &[u8; M]) -> Self {
        self.is_full |= self.bytes.extend_from_slice(value).is_err();
        self
    }

    /// Any bytes, their number before them.
    pub fn bytes(self, value: &[u8]) -> Self {
        let Ok(length) = u16::try_from(value.len()) else {
            return Writer { is_full: true, ..self };
        };
        let mut this = self.u16(length);
        this.is_full |= this.bytes.extend_from_slice(value).is_err();
        this
    }

    /// A text, the number of its bytes before it.
    pub fn text(self, value: &str) -> Self {
        self.bytes(value.as_bytes())
    }

    /// The payload.
    ///
    /// # Errors
    /// [`Full`] when not every field had room.
    pub fn finish(self) -> Result<Vec<u8, N>, Full> {
        if self.is_full { Err(Full) } else { Ok(self.bytes) }
    }
}

/// Reads the fields back, in the order in which they were written.
///
/// A payload that is shorter, longer or shaped differently than expected is [`Forged`], as a wrong proof is.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Starts at the first field.
    pub const fn new(payload: &'a [u8]) -> Self {
        Reader { rest: payload }
    }

    /// One byte.
    ///
    /// # Errors
    /// [`Forged`] when there is none.
    pub fn u8(&mut self) -> Result<u8, Forged> {
        self.array().map(u8::from_be_bytes)
    }

    /// Two bytes.
    ///
    /// # Errors
    /// [`Forged`] when they are not there.
    pub fn u16(&mut self) -> Result<u16, Forged> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes.
    ///
    /// # Errors
    /// [`Forged`] when they are not there.
    pub fn u32(&mut self) -> Result<u32, Forged> {
        self.array().map(u32::from_be_bytes)
    }

    /// Eight bytes.
    ///
    /// # Errors
    /// [`Forged`] when they are not there.
    pub fn u64(&mut self) -> Result<u64, Forged> {
        self.array().map(u64::from_be_bytes)
    }

    /// Bytes whose number both sides know.
    ///
    /// # Errors
    /// [`Forged`] when they are not there.
    pub fn array<const M: usize>(&mut self) -> Result<[u8; M], Forged> {
        let (value, rest) = self.rest.split_first_chunk().ok_or(Forged)?;
        self.rest = rest;
        Ok(*value)
    }

    /// Bytes with their number before them.
    ///
    /// # Errors
    /// [`Forged`] when there are fewer.
    pub fn bytes(&mut self) -> Result<&'a [u8], Forged> {
        let length = usize::from(self.u16()?);
        let (value, rest) = self.rest.split_at_checked(length).ok_or(Forged)?;
        self.rest = rest;
        Ok(value)
    }

    /// A text with the number of its bytes before it.
    ///
    /// # Errors
    /// [`Forged`] when it is shorter or not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, Forged> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Forged)
    }

    /// Nothing follows.
    ///
    /// # Errors
    /// [`Forged`] when something does.
    pub fn end(self) -> Result<(), Forged> {
        if self.rest.is_empty() { Ok(()) } else { Err(Forged) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_refused() {
        let payload = Writer::<8>::new().u8(1).u8(2).finish().unwrap();
        let mut fields = Reader::new(&payload);
        assert_eq!(fields.u8(), Ok(1));
        assert_eq!(fields.end(), Err(Forged));
    }

    #[test]
    fn a_payload_that_ends_early_is_refused() {
        assert_eq!(Reader::new(&[1]).u16(), Err(Forged));
        assert_eq!(Reader::new(&[1, 2, 3]).u32(), Err(Forged));
        assert_eq!(Reader::new(&[0; 7]).u64(), Err(Forged));
        assert_eq!(Reader::new(&[0; 15]).array::<16>(), Err(Forged));
        assert_eq!(Reader::new(&[0, 4, b'a', b'b', b'c']).text(), Err(Forged));
        assert_eq!(Reader::new(&[0xff, 0xff]).bytes(), Err(Forged));
    }

    #[test]
    fn a_text_that_is_not_utf_8_is_refused() {
        assert_eq!(Reader::new(&[0, 1, 0xff]).text(), Err(Forged));
    }

    #[test]
    fn a_field_without_room_shows_at_the_end() {
        assert_eq!(Writer::<4>::new().u32(1).u8(1).finish(), Err(Full));
        assert_eq!(Writer::<4>::new().text("abc").finish(), Err(Full));
        assert_eq!(Writer::<4>::new().text("abc").u8(1).finish(), Err(Full));
        assert_eq!(Writer::<8>::new().bytes(&vec![0; 70_000]).finish(), Err(Full));
    }

    #[test]
    fn what_was_written_is_read() {
        let payload = Writer::<64>::new().u8(1).u16(2).u32(3).u64(4).array(b"five").bytes(b"six").text("süß").finish().unwrap();
        let mut fields = Reader::new(&payload);
        assert_eq!(fields.u8(), Ok(1));
        assert_eq!(fields.u16(), Ok(2));
        assert_eq!(fields.u32(), Ok(3));
        assert_eq!(fields.u64(), Ok(4));
        assert_eq!(fields.array(), Ok(*b"five"));
        assert_eq!(fields.bytes(), Ok(&b"six"[..]));
        assert_eq!(fields.text(), Ok("süß"));
        assert_eq!(fields.end(), Ok(()));
    }
}
