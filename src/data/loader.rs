//! Prepares batches on a background thread while the engine works on earlier ones.

use super::augment::Augment;
use super::batch::{Batch, LossReduction};
use super::batch_size::{BatchSize, steps_of};
use super::images::{IMAGE_BYTES, Subset};
use super::normalisation::Normalisation;
use crate::random::{Purpose, keyed, shuffle};
use crate::threads::spawn;
use crate::usage;
use crate::usage::Usage;
use std::ops::{Deref, Range};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Prepared batches that wait for the engine.
const AHEAD: usize = 2;

/// How to divide training images into batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoaderOptions {
    pub batch_size: BatchSize,
    /// The most images per piece: larger batches arrive as several micro-batches, which bounds memory.
    pub micro_batch: usize,
    pub augment: Augment,
    /// The run's seed, a key of shuffling and augmentation.
    pub seed: u64,
    /// Leave out the last batch of an epoch if it is smaller than the others; which images it holds, shuffling decides.
    pub drop_last: bool,
    pub loss_reduction: LossReduction,
}

/// Loads the images of a subset in batches, epoch by epoch.
#[derive(Debug)]
pub struct Loader {
    plan: Arc<Plan>,
    pool: Arc<Pool>,
}

impl Loader {
    /// For training: reshuffled every epoch and augmented. The last batch may be smaller, unless it is dropped.
    ///
    /// # Errors
    /// The batch size or micro-batch is 0, or the batch size exceeds the number of images.
    pub fn new(subset: Subset, normalisation: Normalisation, options: LoaderOptions) -> Result<Self, Usage> {
        let step = options.batch_size.images(subset.len())?;
        if step == 0 || options.micro_batch == 0 {
            return usage!(
                "batch-size and micro-batch must be at least 1 image, got {step} and {}",
                options.micro_batch
            );
        }
        let micro = options.micro_batch.min(step);
        let LoaderOptions { augment, seed, drop_last, loss_reduction, .. } = options;
        let plan =
            Plan { subset, normalisation, step, micro, augment, seed, drop_last, loss_reduction, shuffled: true };
        Ok(Self::from_plan(plan))
    }

    /// For evaluation: in order, not augmented, up to `batch` images at a time.
    ///
    /// # Panics
    /// `batch` is 0.
    pub fn in_order(subset: Subset, normalisation: Normalisation, batch: usize) -> Self {
        assert!(batch > 0, "an evaluation batch must have at least 1 image");
        let (augment, loss_reduction) = (Augment::NONE, LossReduction::Mean);
        let (step, micro, seed, drop_last, shuffled) = (batch, batch, 0, false, false);
        let plan = Plan { subset, normalisation, step, micro, augment, seed, drop_last, loss_reduction, shuffled };
        Self::from_plan(plan)
    }

    fn from_plan(plan: Plan) -> Self {
        Self { plan: Arc::new(plan), pool: Arc::default() }
    }

    /// The images that epochs are drawn from.
    pub fn images(&self) -> usize {
        self.plan.subset.len()
    }

    /// Updates per epoch, as [`BatchSize::steps_per_epoch`].
    pub fn steps_per_epoch(&self) -> u64 {
        steps_of(self.images(), self.plan.step, self.plan.drop_last)
    }

    /// Starts preparing the batches of `epoch`, from its step `first_step` on (both 0-based).
    ///
    /// The batches depend only on the seed, the epoch and the step, so resuming an epoch gives the same bits.
    ///
    /// # Errors
    /// The background thread cannot be started.
    pub fn epoch(&self, epoch: u64, first_step: u64) -> anyhow::Result<Epoch> {
        let (sender, receiver) = sync_channel(AHEAD);
        let (plan, pool) = (Arc::clone(&self.plan), Arc::clone(&self.pool));
        let thread = spawn("loader", move || plan.prepare(epoch, first_step, &pool, &sender))?;
        Ok(Epoch { receiver: Some(receiver), thread: Some(thread) })
    }
}

/// The settings of a loader, shared with its background threads.
#[derive(Debug)]
struct Plan {
    subset: Subset,
    normalisation: Normalisation,
    /// Images per step, and the most images per micro-batch.
    step: usize,
    micro: usize,
    augment: Augment,
    seed: u64,
    drop_last: bool,
    loss_reduction: LossReduction,
    shuffled: bool,
}

impl Plan {
    /// Prepares micro-batches until the epoch ends or the receiver is dropped.
    fn prepare(&self, epoch: u64, first_step: u64, pool: &Arc<Pool>, ready: &SyncSender<Micro>) {
        let order = self.order(epoch);
        for (piece, divisor) in self.pieces(first_step) {
            let completes_step = piece.end.is_multiple_of(self.step) || piece.end == order.len();
            let mut batch = pool.take();
            self.fill(&mut batch, &order, piece, epoch);
            batch.divisor = divisor;
            if ready.send(Micro { batch, completes_step, pool: Arc::clone(pool) }).is_err() {
                return;
            }
        }
    }

    /// The image indices of an epoch, in the order of use.
    fn order(&self, epoch: u64) -> Vec<u32> {
        let mut order = self.subset.indices.clone();
        if self.shuffled {
            shuffle(&mut order, &mut keyed(self.seed, Purpose::Shuffle, epoch, 0));
        }
        order
    }

    /// The range of positions of each micro-batch in the epoch, and the divisor of the step it belongs to.
    fn pieces(&self, first_step: u64) -> impl Iterator<Item = (Range<usize>, usize)> {
        let images = self.subset.len();
        let images = if self.drop_last { images - images % self.step } else { images };
        let first = usize::try_from(first_step).map_or(images, |step| step.saturating_mul(self.step).min(images));
        (first..images).step_by(self.step).flat_map(move |start| {
            let end = (start + self.step).min(images);
            (start..end)
                .step_by(self.micro)
                .map(move |from| (from..(from + self.micro).min(end), self.loss_reduction.divisor(end - start)))
        })
    }

    fn fill(&self, batch: &mut Batch, order: &[u32], places: Range<usize>, epoch: u64) {
        (batch.seed, batch.epoch, batch.position) = (self.seed, epoch, places.start as u64);
        batch.images.resize(places.len() * IMAGE_BYTES, 0.0);
        batch.labels.clear();
        for (&index, out) in order[places].iter().zip(batch.images.chunks_exact_mut(IMAGE_BYTES)) {
            let pixels = self.subset.images.image(index as usize);
            self.augment.image((self.seed, epoch, index), pixels, &self.normalisation, out);
            batch.labels.push(self.subset.images.labels[index as usize]);
        }
    }
}

/// Used batches, kept so that later ones reuse their memory.
#[derive(Debug, Default)]
struct Pool(Mutex<Vec<Batch>>);

impl Pool {
    fn take(&self) -> Batch {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give_back(&self, batch: Batch) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(batch);
    }
}

/// A batch, or a piece of one larger than the micro-batch size. Dropping it returns its memory to the loader.
#[derive(Debug)]
pub struct Micro {
    batch: Batch,
    /// This is the last piece of its step, so the parameters are updated after it.
    pub completes_step: bool,
    pool: Arc<Pool>,
}

impl Deref for Micro {
    type Target = Batch;

    fn deref(&self) -> &Batch {
        &self.batch
    }
}

impl Drop for Micro {
    fn drop(&mut self) {
        self.pool.give_back(std::mem::take(&mut self.batch));
    }
}

/// The batches of one epoch. `next` propagates a panic of the background thread; dropping the iterator stops the
/// thread.
#[derive(Debug)]
pub struct Epoch {
    receiver: Option<Receiver<Micro>>,
    thread: Option<JoinHandle<()>>,
}

impl Iterator for Epoch {
    type Item = Micro;

    fn next(&mut self) -> Option<Micro> {
        if let Some(Ok(micro)) = self.receiver.as_ref().map(Receiver::recv) {
            return Some(micro);
        }
        // The sender is gone: the epoch ended, or the thread panicked.
        self.receiver = None;
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
        None
    }
}

impl Drop for Epoch {
    fn drop(&mut self) {
        // Without a receiver the thread's next send fails and the thread ends. Any panic has already been printed.
        self.receiver = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::images::Images;
    use super::*;

    /// `count` images; image i is filled with byte i, so that a batch shows which images it holds.
    fn subset(count: usize) -> Subset {
        let pixels = (0..count).flat_map(|index| vec![index as u8; IMAGE_BYTES]).collect();
        let labels = (0..count).map(|index| (index % 10) as u8).collect();
        Subset::all(Arc::new(Images { pixels, labels }))
    }

    fn plain() -> Normalisation {
        Normalisation::new([0.0; 3], [1.0 / 255.0; 3])
    }

    fn options(batch_size: BatchSize, micro_batch: usize) -> LoaderOptions {
        LoaderOptions {
            batch_size,
            micro_batch,
            augment: Augment::NONE,
            seed: 4,
            drop_last: false,
            loss_reduction: LossReduction::Mean,
        }
    }

    fn loader(count: usize, batch_size: usize, micro_batch: usize) -> Loader {
        Loader::new(subset(count), plain(), options(BatchSize::Images(batch_size), micro_batch)).unwrap()
    }

    fn content(batch: &Batch) -> Vec<usize> {
        batch.images.chunks_exact(IMAGE_BYTES).map(|image| image[0].round() as usize).collect()
    }

    #[test]
    fn an_epoch_has_every_image_once_with_its_label_and_the_last_batch_is_smaller() {
        let loader = loader(50, 16, 512);
        assert_eq!(loader.steps_per_epoch(), 4);
        let mut seen = Vec::new();
        let mut sizes = Vec::new();
        for batch in loader.epoch(0, 0).unwrap() {
            let images = content(&batch);
            assert!(images.iter().zip(&batch.labels).all(|(&image, &label)| image % 10 == usize::from(label)));
            assert!(batch.completes_step && batch.divisor == batch.len());
            assert_eq!((batch.seed, batch.epoch, batch.position), (4, 0, seen.len() as u64));
            sizes.push(batch.len());
            seen.extend(images);
        }
        assert_eq!(sizes, [16, 16, 16, 2]);
        assert_ne!(seen, (0..50).collect::<Vec<_>>());
        seen.sort_unstable();
        assert_eq!(seen, (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn each_epoch_and_seed_has_its_own_order_and_the_same_one_each_time() {
        let order = |seed, epoch| {
            let options = LoaderOptions { seed, ..options(BatchSize::Images(50), 50) };
            let loader = Loader::new(subset(50), plain(), options).unwrap();
            content(&loader.epoch(epoch, 0).unwrap().next().unwrap())
        };
        assert_eq!(order(1, 2), order(1, 2));
        assert_ne!(order(1, 2), order(1, 3));
        assert_ne!(order(1, 2), order(2, 2));
    }

    #[test]
    fn an_epoch_begun_at_a_later_step_goes_on_with_the_same_bits() {
        let options = LoaderOptions { augment: Augment::FLIP_CROP, ..options(BatchSize::Images(8), 3) };
        let loader = Loader::new(subset(30), plain(), options).unwrap();
        let batches = |first| -> Vec<_> { loader.epoch(5, first).unwrap().map(|micro| (*micro).clone()).collect() };
        let whole = batches(0);
        assert_eq!(whole.len(), 3 * 3 + 2);
        assert_eq!(batches(2), whole[6..]);
        assert_eq!(batches(4), []);
        assert_eq!(batches(u64::MAX), []);
    }

    #[test]
    fn a_step_larger_than_the_micro_batch_comes_in_pieces_that_share_its_divisor() {
        assert_eq!(
            pieces(&loader(14, 8, 3)),
            [(3, 8, false), (3, 8, false), (2, 8, true), (3, 6, false), (3, 6, true)]
        );
        let full = Loader::new(subset(7), plain(), options(BatchSize::Full, 4)).unwrap();
        assert_eq!(full.steps_per_epoch(), 1);
        assert_eq!(pieces(&full), [(4, 7, false), (3, 7, true)]);
    }

    /// Images and divisor of each micro-batch of an epoch, and whether its step ends with it.
    fn pieces(loader: &Loader) -> Vec<(usize, usize, bool)> {
        loader.epoch(0, 0).unwrap().map(|micro| (micro.len(), micro.divisor, micro.completes_step)).collect()
    }

    #[test]
    fn a_dropped_last_batch_leaves_out_other_images_in_every_epoch_and_a_sum_of_losses_is_divided_by_1() {
        let whole = options(BatchSize::Images(4), 3);
        let dropping = Loader::new(subset(10), plain(), LoaderOptions { drop_last: true, ..whole }).unwrap();
        assert_eq!((dropping.images(), dropping.steps_per_epoch()), (10, 2));
        assert_eq!(pieces(&dropping), [(3, 4, false), (1, 4, true), (3, 4, false), (1, 4, true)]);
        let epoch = |loader: &Loader, epoch, first| -> Vec<usize> {
            loader.epoch(epoch, first).unwrap().flat_map(|micro| content(&micro)).collect()
        };
        let kept = Loader::new(subset(10), plain(), whole).unwrap();
        for number in [0, 1] {
            assert_eq!(epoch(&dropping, number, 0), epoch(&kept, number, 0)[..8], "the same order, but for its end");
            assert_eq!(epoch(&dropping, number, 1), epoch(&kept, number, 1)[..4], "as resumed after a step");
            assert!(epoch(&dropping, number, 2).is_empty(), "resumed after the last step");
        }
        let left_out = |number| epoch(&kept, number, 2);
        assert_ne!(left_out(0), left_out(1));
        let summed = LoaderOptions { loss_reduction: LossReduction::Sum, ..whole };
        let summed = Loader::new(subset(10), plain(), summed).unwrap();
        assert!(pieces(&summed).iter().all(|&(_, divisor, _)| divisor == 1), "{:?}", pieces(&summed));
    }

    #[test]
    fn evaluation_takes_the_images_in_order() {
        let loader = Loader::in_order(subset(10), plain(), 4);
        let batches: Vec<_> = loader.epoch(0, 0).unwrap().map(|batch| content(&batch)).collect();
        assert_eq!(batches, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
    }

    #[test]
    fn an_epoch_dropped_early_ends_its_thread_and_the_loader_still_works() {
        let loader = loader(50, 1, 1);
        let mut epoch = loader.epoch(0, 0).unwrap();
        epoch.next().unwrap();
        drop(epoch);
        drop(loader.epoch(0, 0).unwrap());
        // A thread holds the plan until it finishes.
        assert_eq!(Arc::strong_count(&loader.plan), 1);
        assert_eq!(loader.epoch(0, 0).unwrap().count(), 50);
    }

    #[test]
    fn memory_is_taken_once_and_reused_in_every_later_epoch() {
        let loader = loader(50, 4, 4);
        for epoch in 0..4 {
            loader.epoch(epoch, 0).unwrap().for_each(drop);
        }
        // In the queue, being filled, and in use.
        let kept = loader.pool.0.lock().unwrap().len();
        assert!(kept <= AHEAD + 2, "{kept} batches");
    }

    #[test]
    fn a_panic_while_loading_comes_out_of_next() {
        let mut subset = subset(10);
        subset.indices.push(99); // beyond the images
        let loader = Loader::in_order(subset, plain(), 4);
        let panic = std::panic::catch_unwind(|| loader.epoch(0, 0).unwrap().count());
        assert!(panic.is_err());
    }

    #[test]
    fn a_batch_larger_than_the_training_set_and_micro_batches_of_0_are_errors() {
        assert!(Loader::new(subset(10), plain(), options(BatchSize::Images(11), 11)).is_err());
        assert!(Loader::new(subset(10), plain(), options(BatchSize::Images(5), 0)).is_err());
    }
}
