//! Sums over groups of images, in group order.

/// `to` = Σ over the slots of the floats that start at `offset` in each slot.
pub fn sum_slots(slots: &[f32], slot_len: usize, offset: usize, to: &mut [f32]) {
    to.fill(0.0);
    for slot in slots.chunks_exact(slot_len) {
        for (sum, value) in to.iter_mut().zip(&slot[offset..]) {
            *sum += value;
        }
    }
}
