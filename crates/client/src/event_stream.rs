//! Server-sent events (WHATWG HTML §9.2), read piece by piece.

use std::mem;

/// More than any block of the feed, and any line in it, needs; in bytes.
const LONGEST: usize = 65_536;

/// A block of lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) id: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) data: String,
}

/// What a piece has completed.
#[derive(Debug, Default)]
pub(crate) struct Read {
    pub(crate) blocks: Vec<Block>,
    /// How many lines were whole.
    pub(crate) lines: usize,
}

/// A line or block is longer than any of the feed's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Reads a stream.
#[derive(Debug, Default)]
pub(crate) struct EventStream {
    line: Vec<u8>,
    block: Block,
    has_begun: bool,
    /// The last byte was a carriage return: a line feed that follows belongs to it.
    is_after_return: bool,
}

impl EventStream {
    /// Takes the next piece.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Read, TooLong> {
        let mut read = Read::default();
        for byte in piece {
            let belongs_to_return = mem::replace(&mut self.is_after_return, *byte == b'\r') && *byte == b'\n';
            match byte {
                b'\n' if belongs_to_return => {}
                b'\n' | b'\r' => {
                    read.lines += 1;
                    let line = mem::take(&mut self.line);
                    read.blocks.extend(self.take(&line));
                }
                _ => self.line.push(*byte),
            }
            if self.line.len() > LONGEST || self.block.data.len() > LONGEST {
                return Err(TooLong);
            }
        }
        Ok(read)
    }

    /// Takes a line, and tells the block that it completes.
    fn take(&mut self, line: &[u8]) -> Option<Block> {
        let text = String::from_utf8_lossy(line);
        let mut text: &str = &text;
        if !mem::replace(&mut self.has_begun, true) {
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        if text.is_empty() {
            return Some(mem::take(&mut self.block));
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.block.id = Some(value.to_owned()),
            "event" => self.block.event = Some(value.to_owned()),
            "data" => {
                if !self.block.data.is_empty() {
                    self.block.data.push('\n');
                }
                self.block.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\u{feff}id: 41\n: following\n\nid: 42\r\nevent: key\r\ndata: {\"id\":\r\ndata:1}\r\n\r\n\
                        id\n\nevent: reset\rdata\r\r:\n\n";

    fn block(id: Option<&str>, event: Option<&str>, data: &str) -> Block {
        Block {
            id: id.map(str::to_owned),
            event: event.map(str::to_owned),
            data: data.to_owned(),
        }
    }

    #[test]
    fn a_stream_is_read_the_same_however_it_is_cut() {
        let expected = [
            block(Some("41"), None, ""),
            block(Some("42"), Some("key"), "{\"id\":\n1}"),
            block(Some(""), None, ""),
            block(None, Some("reset"), ""),
            block(None, None, ""),
        ];
        for size in 1..=TEXT.len() {
            let mut stream = EventStream::default();
            let mut blocks = Vec::new();
            for piece in TEXT.as_bytes().chunks(size) {
                blocks.extend(stream.push(piece).unwrap().blocks);
            }
            assert_eq!(blocks, expected, "pieces of {size}");
        }
    }

    #[test]
    fn it_tells_how_many_lines_were_whole() {
        let mut stream = EventStream::default();
        assert_eq!(stream.push(b"id: 4").unwrap().lines, 0);
        assert_eq!(stream.push(b"1\n:\n").unwrap().lines, 2);
    }

    #[test]
    fn it_ends_where_a_line_does_not() {
        let mut stream = EventStream::default();
        let ends = (0..100).any(|_| stream.push(&[b'x'; 1_024]).is_err());
        assert!(ends);
    }
}
