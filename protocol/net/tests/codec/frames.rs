//! Frames: a length and a payload, in whole, cut, continued and too long; and what they cost the receiver.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::pin::Pin;
use std::task::{Context, Poll};

use cluster_net::codec::{self, read_frame, write_frame, FrameError};
use cluster_net::{dkg, limits};
use futures::executor::block_on;
use futures::io::Cursor;
use futures::AsyncRead;

/// Counts the bytes that this thread has allocated, so that a test can tell what a frame costs.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that is ending has no counter any more.
        let _ = ALLOCATED.try_with(|allocated| allocated.set(allocated.get() + layout.size()));
        // SAFETY: the caller's promise is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocated_by(work: impl FnOnce()) -> usize {
    let before = ALLOCATED.with(Cell::get);
    work();
    ALLOCATED.with(Cell::get) - before
}

/// Gives one byte at a time and counts them.
struct Drip<'a> {
    bytes: &'a [u8],
    taken: usize,
}

impl AsyncRead for Drip<'_> {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<std::io::Result<usize>> {
        match self.bytes.get(self.taken) {
            Some(byte) if !buffer.is_empty() => {
                buffer[0] = *byte;
                self.taken += 1;
                Poll::Ready(Ok(1))
            }
            _ => Poll::Ready(Ok(0)),
        }
    }
}

fn framed(payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_le_bytes().to_vec();
    frame.extend_from_slice(payload);
    frame
}

pub fn read(bytes: &[u8], limit: usize) -> Result<Vec<u8>, FrameError> {
    block_on(read_frame(&mut Cursor::new(bytes), limit))
}

#[test]
fn a_frame_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
    for limit in [0, 1, limits::INFO_REQUEST_BYTES, limits::READ_CHUNK_BYTES + 1, limits::DKG_REQUEST_BYTES] {
        let payload = vec![7u8; limit];
        let mut written = Vec::new();
        block_on(write_frame(&mut written, &payload, limit)).unwrap();
        assert_eq!(read(&written, limit).unwrap(), payload, "limit {limit}");
        let longer = vec![7u8; limit + 1];
        assert!(matches!(
            read(&framed(&longer), limit),
            Err(FrameError::Oversize { declared, limit: allowed }) if declared == limit + 1 && allowed == limit
        ));
        let mut nothing = Vec::new();
        assert!(matches!(block_on(write_frame(&mut nothing, &longer, limit)), Err(FrameError::Oversize { .. })));
        assert!(nothing.is_empty(), "not even the prefix is sent");
    }
}

#[test]
fn an_oversized_prefix_is_refused_before_anything_else_is_read() {
    let mut bytes = u32::MAX.to_le_bytes().to_vec();
    bytes.extend([1; 100]);
    let mut io = Drip { bytes: &bytes, taken: 0 };
    assert!(matches!(block_on(read_frame(&mut io, limits::DKG_REQUEST_BYTES)), Err(FrameError::Oversize { .. })));
    assert_eq!(io.taken, limits::FRAME_PREFIX_BYTES);
}

#[test]
fn a_declared_length_reserves_no_more_than_a_chunk() {
    let mut bytes = (limits::DKG_REQUEST_BYTES as u32).to_le_bytes().to_vec();
    bytes.extend([1; 10]);
    let cost = allocated_by(|| {
        let result = read(&bytes, limits::DKG_REQUEST_BYTES);
        assert!(matches!(result, Err(FrameError::Truncated { received: 10, .. })), "{result:?}");
    });
    assert!(cost <= 2 * limits::READ_CHUNK_BYTES, "{cost} bytes");
    // Inside of a payload as well: a list and a byte string that claim to be endless.
    for variant in [3u32, 0] {
        let mut payload = variant.to_le_bytes().to_vec();
        payload.extend([0; 33]);
        payload.extend(u64::MAX.to_le_bytes());
        let cost = allocated_by(|| {
            assert!(codec::decode::<dkg::Response>(&payload, limits::DKG_RESPONSE_BYTES).is_err());
            assert!(codec::decode::<dkg::Request>(&payload, limits::DKG_REQUEST_BYTES).is_err());
        });
        assert!(cost <= 2 << 20, "{cost} bytes");
    }
}

#[test]
fn cut_and_continued_frames_are_told_apart() {
    let frame = framed(&[1, 2, 3]);
    for end in 0..frame.len() {
        let (expected, received) = if end < 4 { (4, end) } else { (3, end - 4) };
        match read(&frame[..end], 10) {
            Err(FrameError::Truncated { expected: e, received: r }) => assert_eq!((e, r), (expected, received)),
            other => panic!("cut at {end}: {other:?}"),
        }
    }
    let mut longer = frame.clone();
    longer.push(0);
    assert!(matches!(read(&longer, 10), Err(FrameError::Trailing)));
    let mut io = Drip { bytes: &frame, taken: 0 };
    assert_eq!(block_on(read_frame(&mut io, 10)).unwrap(), [1, 2, 3], "byte by byte");
}
