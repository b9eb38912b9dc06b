//! Cache-aligned buffers that only grow.

use std::ops::{Deref, DerefMut};

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Floats aligned to a cache line.
#[derive(Default)]
pub struct Buffer {
    lines: Vec<Line>,
    length: usize,
}

impl Buffer {
    /// Grows to at least `length` floats. New floats are zero; existing ones keep their values.
    pub fn ensure(&mut self, length: usize) {
        if length > self.length {
            let lines = length.div_ceil(16);
            // Reserve exactly: activations are large, and batches do not keep growing.
            self.lines.reserve_exact(lines - self.lines.len().min(lines));
            self.lines.resize(lines, Line([0.0; 16]));
            self.length = length;
        }
    }

    /// The first `length` floats, growing the buffer if needed. The values are unspecified.
    pub fn first(&mut self, length: usize) -> &mut [f32] {
        self.ensure(length);
        &mut self[..length]
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // SAFETY: `Line` is `repr(C)` around sixteen floats without padding, and the vector holds at least ⌈`length` /
        // 16⌉ of them, all initialised.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and `self` is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_starts_on_a_cache_line_grows_with_zeros_and_keeps_what_it_had() {
        let mut buffer = Buffer::default();
        buffer.first(3).fill(7.0);
        buffer.ensure(100);
        assert_eq!(buffer[..4], [7.0, 7.0, 7.0, 0.0]);
        assert_eq!(buffer.len(), 100);
        assert_eq!(buffer.as_ptr() as usize % 64, 0);
        assert_eq!(buffer.first(2).len(), 2);
    }
}
