//! The events of a stream (HTML, 9.2.6), as their bytes come.

use crate::limits;
use std::str;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// `message` where the stream says nothing.
    pub(crate) name: String,
    /// May be empty: an event that only has an id.
    pub(crate) data: Vec<u8>,
}

/// A stream sends more in one event than there is room for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Takes bytes and gives events. It outlives its stream: the id of the last event is what one comes back with.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    line: Vec<u8>,
    name: String,
    data: Vec<u8>,
    has_data: bool,
    has_id: bool,
    is_after_return: bool,
    last_id: Option<String>,
    retry_ms: Option<u64>,
}

impl Reader {
    /// The id of the last event that had one.
    pub(crate) fn last_id(&self) -> Option<&str> {
        self.last_id.as_deref().filter(|id| !id.is_empty())
    }

    /// When the server wants to be asked again.
    pub(crate) fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    /// The stream is cut: what was half there is forgotten.
    pub(crate) fn cut(&mut self) {
        let (last_id, retry_ms) = (self.last_id.take(), self.retry_ms);
        *self = Reader { last_id, retry_ms, ..Reader::default() };
    }

    /// Takes what came, and puts every event that is whole into `events`.
    pub(crate) fn feed(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), TooLarge> {
        for &byte in bytes {
            let is_second = self.is_after_return && byte == b'\n';
            self.is_after_return = byte == b'\r';
            match byte {
                _ if is_second => {}
                b'\n' | b'\r' => self.end_line(events),
                _ if self.line.len() + self.data.len() >= limits::MESSAGE_BYTES => return Err(TooLarge),
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<Event>) {
        let line = std::mem::take(&mut self.line);
        // A byte order mark at the beginning.
        let bare = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&line);
        if bare.is_empty() {
            return self.end_event(events);
        }
        let colon = bare.iter().position(|byte| *byte == b':');
        let (field, value) = colon.map_or((bare, &b""[..]), |at| (&bare[..at], &bare[at + 1..]));
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            b"id" => {
                // It goes back in a header.
                let is_good = value.len() <= limits::EVENT_ID_BYTES && value.iter().all(|byte| (0x20..0x7f).contains(byte));
                if let Some(id) = str::from_utf8(value).ok().filter(|_| is_good) {
                    self.last_id = Some(id.to_owned());
                    self.has_id = true;
                }
            }
            b"retry" => {
                let ms = str::from_utf8(value).ok().and_then(|text| text.parse::<u64>().ok());
                self.retry_ms = ms.map(|ms| ms.min(limits::BACKOFF_MS.1)).or(self.retry_ms);
            }
            _ => {}
        }
        // The line's room is used again.
        self.line = line;
        self.line.clear();
    }

    fn end_event(&mut self, events: &mut Vec<Event>) {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        if self.has_data || self.has_id {
            events.push(Event { name: if name.is_empty() { "message".to_owned() } else { name }, data });
        }
        (self.has_data, self.has_id) = (false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(reader: &mut Reader, text: &str) -> Vec<(String, String)> {
        let mut events = Vec::new();
        reader.feed(text.as_bytes(), &mut events).unwrap();
        events.into_iter().map(|event| (event.name, String::from_utf8(event.data).unwrap())).collect()
    }

    fn pair(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn events_are_read_whatever_ends_their_lines_and_wherever_they_are_cut() {
        let text =
            "\u{feff}: hello\n\nevent: endpoint\ndata: /m?s=1\n\nid: 7\ndata: {\"a\":\ndata:1}\n\nid: 8\ndata:\n\nretry: 500\n\n";
        let wanted = [pair("endpoint", "/m?s=1"), pair("message", "{\"a\":\n1}"), pair("message", "")];
        for text in [text.to_owned(), text.replace('\n', "\r\n"), text.replace('\n', "\r")] {
            for size in [1, 3, 1000] {
                let mut reader = Reader::default();
                let mut events = Vec::new();
                text.as_bytes().chunks(size).for_each(|bytes| reader.feed(bytes, &mut events).unwrap());
                let events: Vec<_> = events.iter().map(|event| pair(&event.name, str::from_utf8(&event.data).unwrap())).collect();
                assert_eq!(events, wanted, "{text:?} by {size}");
                assert_eq!((reader.last_id(), reader.retry_ms()), (Some("8"), Some(500)));
            }
        }
    }

    #[test]
    fn what_was_half_there_is_forgotten_and_the_id_is_not() {
        let mut reader = Reader::default();
        assert_eq!(read(&mut reader, "id: 1\ndata: one\n\ndata: tw"), [pair("message", "one")]);
        reader.cut();
        assert_eq!(read(&mut reader, "data: two\n\n"), [pair("message", "two")]);
        assert_eq!(reader.last_id(), Some("1"));
    }

    #[test]
    fn an_id_that_is_no_header_and_a_pause_without_end_are_not_taken() {
        let mut reader = Reader::default();
        read(&mut reader, "id: a\u{0}b\ndata: x\n\nid: ü\ndata: x\n\nretry: 99999999999\n\nretry: soon\n\n");
        assert_eq!((reader.last_id(), reader.retry_ms()), (None, Some(limits::BACKOFF_MS.1)));
    }

    #[test]
    fn an_event_without_end_is_refused() {
        for text in ["data: ", "data: x\ndata: "] {
            let mut reader = Reader::default();
            let mut events = Vec::new();
            reader.feed(text.as_bytes(), &mut events).unwrap();
            let piece = vec![b'a'; 1024 * 1024];
            let fed: Result<Vec<()>, _> =
                (0..=limits::MESSAGE_BYTES / piece.len()).map(|_| reader.feed(&piece, &mut events)).collect();
            assert_eq!(fed, Err(TooLarge));
        }
        let mut reader = Reader::default();
        let line = format!("data: {}\n", "a".repeat(1024 * 1024));
        let fed: Result<Vec<()>, _> =
            (0..=limits::MESSAGE_BYTES / line.len() + 1).map(|_| reader.feed(line.as_bytes(), &mut Vec::new())).collect();
        assert_eq!(fed, Err(TooLarge));
    }
}
