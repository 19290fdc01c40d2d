//! A ZIP file of entries that are stored as they are, always with the same bytes for the same content.

/// The first day that the format knows: 1 January 1980, and midnight.
const DATE: [u8; 4] = [0, 0, 0x21, 0];
/// ZIP 2.0 by a Unix, whose modes count.
const MADE_BY: [u8; 2] = [20, 3];

/// One that is being filled.
#[derive(Default)]
pub(super) struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    entries: u16,
}

impl Zip {
    /// Adds a file. The format holds 4 GiB, of which a program is far from.
    pub(super) fn add(&mut self, name: &str, mode: u32, content: &[u8]) {
        let at = length(&self.bytes);
        let size = length(content).to_le_bytes();
        // What stands both before the content and in the directory: version to extract, flags, method, date, sum, sizes, name, extra.
        let mut head = vec![20, 0, 0, 0, 0, 0];
        head.extend(DATE);
        head.extend(crc32(content).to_le_bytes());
        head.extend(size);
        head.extend(size);
        head.extend(&length(name.as_bytes()).to_le_bytes()[..2]);
        head.extend([0, 0]);

        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&head);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(content);

        self.directory.extend(b"PK\x01\x02");
        self.directory.extend(MADE_BY);
        self.directory.extend(&head);
        // Comment, disk, internal attributes.
        self.directory.extend([0; 6]);
        self.directory.extend(((0o100_000 | mode) << 16).to_le_bytes());
        self.directory.extend(at.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.entries += 1;
    }

    /// The whole file.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let at = length(&self.bytes).to_le_bytes();
        let size = length(&self.directory).to_le_bytes();
        let entries = self.entries.to_le_bytes();
        self.bytes.append(&mut self.directory);
        self.bytes.extend(b"PK\x05\x06\0\0\0\0");
        self.bytes.extend(entries);
        self.bytes.extend(entries);
        self.bytes.extend(size);
        self.bytes.extend(at);
        self.bytes.extend([0, 0]);
        self.bytes
    }
}

#[allow(clippy::cast_possible_truncation)]
fn length(bytes: &[u8]) -> u32 {
    bytes.len() as u32
}

/// The sum of ZIP and PNG, four bits at a time: sixteen numbers are table enough for a file that is written once.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 16] = {
        let mut table = [0; 16];
        let mut index = 0_u32;
        while index < 16 {
            let (mut sum, mut bit) = (index, 0);
            while bit < 4 {
                sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
                bit += 1;
            }
            table[index as usize] = sum;
            index += 1;
        }
        table
    };
    let step = |sum: u32| sum >> 4 ^ TABLE[sum as usize & 15];
    !bytes.iter().fold(!0, |sum, byte| step(step(sum ^ u32::from(*byte))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_the_format() {
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn the_same_content_gives_the_same_bytes() {
        let zip = || {
            let mut zip = Zip::default();
            zip.add("a", 0o644, b"1");
            zip.add("b/c", 0o755, b"");
            zip.finish()
        };
        let bytes = zip();
        assert_eq!(bytes, zip());
        // Two heads with their names, one byte of content, two entries of the directory, its end.
        assert_eq!(bytes.len(), 30 + 1 + 1 + 30 + 3 + 46 + 1 + 46 + 3 + 22);
    }
}
