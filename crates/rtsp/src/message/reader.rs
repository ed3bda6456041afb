//! From the bytes of a TCP connection to messages and interleaved frames.

use bytes::Bytes;

use super::{HEAD_BYTES_MAX, Request, Response, Start, parse_head};
use crate::Error;

/// What the byte stream is made of.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
    /// An interleaved frame: an RTP or RTCP packet.
    Data {
        /// The channel agreed on in SETUP.
        channel: u8,
        /// The packet: a piece of the input wherever it lay there as a whole.
        payload: &'a [u8],
    },
}

/// Incremental reader of one direction of a connection. It owns only the item that is not
/// complete yet: at most one message (128 KiB) or one frame (64 KiB).
///
/// Tolerated and counted in [`Reader::skipped_bytes`]: line ends before `$`, and garbage, after
/// which it waits for something that surely begins a frame on a known channel or a message.
#[derive(Debug, Default)]
pub struct Reader {
    /// Begins with an incomplete item, always.
    tail: Vec<u8>,
    state: State,
}

#[derive(Debug, Default)]
struct State {
    known: [u64; 4],
    lost: bool,
    /// Garbage and line ends since the last item.
    run: usize,
    line_ends: u64,
    skipped: u64,
    /// How much of an incomplete head has been searched for its end already.
    scanned: usize,
}

enum Step<'a> {
    /// Cannot go on with fewer bytes than this, counted from the start of the buffer.
    Need(usize),
    Skip(usize),
    Item(Item<'a>, usize),
}

/// Garbage after which a connection is given up, bytes.
const GARBAGE_BYTES_MAX: usize = 64 << 10;
/// What is read ahead when a head is incomplete and its length unknown.
const AHEAD: usize = 1 << 10;
/// Longest method name that is recognised as one.
const METHOD_BYTES_MAX: usize = 24;
const MARK: u8 = b'$';

/// What a message may begin with where synchronisation has been lost.
const STARTS: [&[u8]; 12] = [
    b"RTSP/1.",
    b"OPTIONS ",
    b"DESCRIBE ",
    b"SETUP rtsp",
    b"PLAY rtsp",
    b"PAUSE rtsp",
    b"TEARDOWN rtsp",
    b"GET_PARAMETER ",
    b"SET_PARAMETER ",
    b"ANNOUNCE rtsp",
    b"RECORD rtsp",
    b"REDIRECT ",
];

impl Reader {
    /// At the start of a connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that `channel` has been agreed on. From the first one on, frames on other channels are
    /// believed only if they look like RTP.
    pub fn expect_channel(&mut self, channel: u8) {
        let (word, bit) = (usize::from(channel >> 6), channel & 63);
        if let Some(word) = self.state.known.get_mut(word) {
            *word |= 1 << bit;
        }
    }

    /// Bytes passed over so far that belonged to no message and no frame.
    pub const fn skipped_bytes(&self) -> u64 {
        self.state.skipped
    }

    /// Reads on, and gives out every item that `input` completes.
    ///
    /// # Errors
    /// The peer cannot be understood any more; nothing can be read after that. Items before the
    /// error have been given out.
    pub fn read(&mut self, input: &[u8], on_item: &mut dyn FnMut(Item<'_>)) -> Result<(), Error> {
        let mut rest = self.finish_tail(input, on_item)?;
        while !rest.is_empty() {
            let used = match self.state.step(rest)? {
                Step::Need(_) => break,
                Step::Skip(n) => n,
                Step::Item(item, n) => {
                    on_item(item);
                    n
                }
            };
            rest = rest.get(used..).unwrap_or_default();
        }
        self.tail.extend_from_slice(rest);
        Ok(())
    }

    /// Completes the item that began in an earlier input; returns what of `input` is left. Only
    /// as much is copied as that item needs.
    fn finish_tail<'a>(
        &mut self,
        input: &'a [u8],
        on_item: &mut dyn FnMut(Item<'_>),
    ) -> Result<&'a [u8], Error> {
        // Of the tail, the first `old` bytes came before this input.
        let mut old = self.tail.len();
        let mut rest = input;
        while old > 0 {
            let used = match self.state.step(&self.tail)? {
                Step::Need(n) => {
                    if rest.is_empty() {
                        return Ok(rest);
                    }
                    let missing = n.saturating_sub(self.tail.len());
                    let (now, later) = rest.split_at(rest.len().min(missing));
                    self.tail.extend_from_slice(now);
                    rest = later;
                    continue;
                }
                Step::Skip(n) => n,
                Step::Item(item, n) => {
                    on_item(item);
                    n
                }
            };
            if used >= old {
                self.tail.clear();
                return Ok(input.get(used - old..).unwrap_or_default());
            }
            self.tail.drain(..used);
            old -= used;
        }
        Ok(rest)
    }
}

impl State {
    /// The next thing in `buf`, which is not empty.
    fn step<'a>(&mut self, buf: &'a [u8]) -> Result<Step<'a>, Error> {
        let step = self.look(buf)?;
        match &step {
            Step::Need(_) => {}
            Step::Skip(n) => {
                self.run += n;
                self.scanned = 0;
                if self.run > GARBAGE_BYTES_MAX {
                    return Err(Error::PeerMisbehaved("64 KiB without a message or frame"));
                }
            }
            Step::Item(item, _) => {
                if matches!(item, Item::Data { .. }) {
                    self.skipped += self.line_ends;
                }
                self.run = 0;
                self.line_ends = 0;
                self.scanned = 0;
            }
        }
        Ok(step)
    }

    fn look<'a>(&mut self, buf: &'a [u8]) -> Result<Step<'a>, Error> {
        if !self.lost {
            let step = match buf.first() {
                Some(&MARK) => self.data(buf),
                Some(b'\r' | b'\n') => {
                    let n = buf.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
                    // Blank lines are allowed between messages, and are no keep-alive of ours.
                    self.line_ends += n as u64;
                    Some(Step::Skip(n))
                }
                _ => match begins_message(buf) {
                    Some(true) => Some(self.message(buf)?),
                    Some(false) => None,
                    None => Some(Step::Need(buf.len() + 1)),
                },
            };
            if let Some(step) = step {
                return Ok(step);
            }
            self.lost = true;
        }
        Ok(self.search(buf))
    }

    /// A frame; `None` if this is none.
    fn data<'a>(&self, buf: &'a [u8]) -> Option<Step<'a>> {
        let Some(&[_, channel, hi, lo]) = buf.first_chunk() else { return Some(Step::Need(4)) };
        let end = 4 + usize::from(u16::from_be_bytes([hi, lo]));
        if !self.is_known(channel) {
            match buf.get(4) {
                None if end > 4 => return Some(Step::Need(5)),
                Some(first) if end >= SHORTEST && first >> 6 == 2 => {}
                _ => return None,
            }
        }
        Some(match buf.get(4..end) {
            Some(payload) => Step::Item(Item::Data { channel, payload }, end),
            None => Step::Need(end),
        })
    }

    fn message<'a>(&mut self, buf: &'a [u8]) -> Result<Step<'a>, Error> {
        let Some(head_end) = find_head_end(buf, self.scanned) else {
            if buf.len() > HEAD_BYTES_MAX {
                return Err(Error::TooLarge("message"));
            }
            self.scanned = buf.len().saturating_sub(3);
            return Ok(Step::Need(buf.len() + AHEAD));
        };
        if head_end > HEAD_BYTES_MAX {
            return Err(Error::TooLarge("message"));
        }
        let head = parse_head(buf.get(..head_end).unwrap_or_default())?;
        let end = head_end + head.body_len;
        let Some(body) = buf.get(head_end..end) else { return Ok(Step::Need(end)) };
        let body = Bytes::copy_from_slice(body);
        let headers = head.headers;
        let item = match head.start {
            Start::Request { method, uri } => Item::Request(Request { method, uri, headers, body }),
            Start::Response { status, reason } => {
                Item::Response(Response { status, reason, headers, body })
            }
        };
        Ok(Step::Item(item, end))
    }

    /// Out of step: looks for something that surely begins an item.
    fn search<'a>(&mut self, buf: &'a [u8]) -> Step<'a> {
        for (i, &first) in buf.iter().enumerate() {
            if first != MARK && !first.is_ascii_uppercase() {
                continue;
            }
            let here = buf.get(i..).unwrap_or_default();
            let found = if first == MARK { self.surely_data(here) } else { surely_message(here) };
            match found {
                Some(false) => continue,
                Some(true) => self.lost = false,
                None if i == 0 => return Step::Need(buf.len() + 1),
                None => {}
            }
            self.skipped += i as u64;
            return Step::Skip(i);
        }
        self.skipped += buf.len() as u64;
        Step::Skip(buf.len())
    }

    /// `None`: too few bytes to tell.
    fn surely_data(&self, buf: &[u8]) -> Option<bool> {
        let &[_, channel, hi, lo, first] = buf.first_chunk()?;
        let end = 4 + usize::from(u16::from_be_bytes([hi, lo]));
        Some(self.is_known(channel) && end >= SHORTEST && first >> 6 == 2)
    }

    fn is_known(&self, channel: u8) -> bool {
        let word = self.known.get(usize::from(channel >> 6)).copied().unwrap_or(0);
        word >> (channel & 63) & 1 == 1 || self.known == [0; 4]
    }
}

/// An interleaved empty receiver report, the shortest packet there is.
const SHORTEST: usize = 4 + 8;

/// In step: a status line, or a method and a blank. `None`: too few bytes to tell.
fn begins_message(buf: &[u8]) -> Option<bool> {
    let name = buf.iter().take_while(|b| b.is_ascii_uppercase() || **b == b'_').count();
    if name > METHOD_BYTES_MAX {
        return Some(false);
    }
    match buf.get(name)? {
        b' ' => Some(name >= 3),
        b'/' => Some(buf.starts_with(b"RTSP/")),
        _ => Some(false),
    }
}

fn surely_message(buf: &[u8]) -> Option<bool> {
    if STARTS.iter().any(|start| buf.starts_with(start)) {
        return Some(true);
    }
    if STARTS.iter().any(|start| start.starts_with(buf)) { None } else { Some(false) }
}

/// Where the body begins: behind the first empty line. Both kinds of line end are taken.
fn find_head_end(buf: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += buf.get(at..)?.iter().position(|&b| b == b'\n')? + 1;
        match buf.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
