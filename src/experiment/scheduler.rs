//! Several runs at once, in one process: worker threads take them in order and share the cores.

use crate::config::{Jobs, RunConfig};
use crate::engine::{DeviceChoice, EngineKind};
use crate::threads::{ThreadRefused, refused};
use crate::train::{ThreadShare, estimated_memory};
use anyhow::Result;
use std::ops::ControlFlow;
use std::sync::mpsc::channel;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, scope};

/// Runs `at_once` pieces of work at once on `threads` threads in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scheduler {
    pub at_once: usize,
    pub threads: usize,
}

/// Whether the system refused a thread, which it may grant beside fewer runs.
pub(super) fn is_refused_a_thread<T>(done: &Result<T>) -> bool {
    done.as_ref().is_err_and(|error| error.is::<ThreadRefused>())
}

/// Too little memory for the runs that would go at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryLimit {
    /// Bytes that this process can still get.
    pub free: u64,
    /// Of these, the bytes that runs may fill unless their number was given.
    pub usable: u64,
    /// Bytes that a run takes, estimated.
    pub each: u64,
    /// How many would go at once if memory allowed; `None` if so many do, because their number was given or is 1.
    pub instead_of: Option<usize>,
}

/// The part of the free memory that runs may fill: estimates err, and others need some.
pub const FILLED: f64 = 0.8;

impl Scheduler {
    /// How many of `runs` like `config` go at once, on `threads` threads: as many as `asked` for; with [`Jobs::Auto`],
    /// one per thread as far as they fit into the `free` memory (`None`: unknown), and one at a time on a device other
    /// than the CPU, which a single run keeps busy, or with the candle engine, whose memory nobody estimates. Also
    /// returns the limit, if they are fewer because of the memory, or as many as asked for and too many for it.
    pub fn choose(
        asked: Jobs,
        threads: usize,
        runs: usize,
        config: &RunConfig,
        free: Option<u64>,
    ) -> (Self, Option<MemoryLimit>) {
        let scheduler = |at_once: usize| Self { at_once: at_once.clamp(1, runs.max(1)), threads };
        let is_estimated = config.device == DeviceChoice::Cpu && config.engine == EngineKind::Cpu;
        let wanted = match asked {
            Jobs::Count(count) => scheduler(count),
            Jobs::Auto if !is_estimated => scheduler(1),
            Jobs::Auto => scheduler(threads),
        };
        let Some(free) = free.filter(|_| is_estimated && runs > 0) else { return (wanted, None) };
        let each = estimated_memory(config).max(1);
        let usable = (free as f64 * FILLED) as u64;
        let fitting = scheduler(usize::try_from(usable / each).unwrap_or(usize::MAX));
        let limit = MemoryLimit { free, usable, each, instead_of: None };
        if asked == Jobs::Auto && fitting.at_once < wanted.at_once {
            return (fitting, Some(MemoryLimit { instead_of: Some(wanted.at_once), ..limit }));
        }
        let too_much = each.saturating_mul(wanted.at_once as u64) > free;
        (wanted, too_much.then_some(limit))
    }

    /// Calls `work` on every item, in order, each on a thread of its own with its share of the threads, and `finished`
    /// on the calling thread with the index of the item and its result, in the order of finishing.
    ///
    /// As long as items are waiting, the running ones share the threads equally, at least one each. Once fewer are left
    /// than `at_once`, the shares grow, so that the last item has all threads. No item is started after `finished`
    /// returns [`ControlFlow::Break`], or while `stopping` is true; those that run are waited for.
    ///
    /// An item whose result is `starved`, for lack of something that those beside it hold, is put back, and fewer run at
    /// once from then on. One that ran alone has the result that it has.
    ///
    /// # Errors
    /// The system cannot start a single thread. If it starts some, these do all the work.
    ///
    /// # Panics
    /// Those of `work`, once all running items are done.
    pub fn run<T: Sync, R: Send>(
        &self,
        items: &[T],
        stopping: &(dyn Fn() -> bool + Sync),
        work: &(dyn Fn(&T, &ThreadShare) -> R + Sync),
        starved: &(dyn Fn(&T, &R) -> bool + Sync),
        finished: &mut dyn FnMut(usize, R) -> ControlFlow<()>,
    ) -> Result<()> {
        let at_once = self.at_once.clamp(1, items.len().max(1));
        let queue = Queue::new(items.len(), at_once, self.threads);
        let (results, inbox) = channel();
        scope(|scope| {
            for number in 0..at_once.min(items.len()) {
                let (results, queue) = (results.clone(), &queue);
                let take = move || {
                    while let Some((index, share)) = queue.take(stopping) {
                        let result = work(&items[index], &share);
                        if starved(&items[index], &result) && queue.put_back(index) {
                            continue;
                        }
                        queue.give_back(index);
                        if results.send((index, result)).is_err() {
                            return;
                        }
                    }
                };
                if let Err(error) = Builder::new().name(format!("run-{number}")).spawn_scoped(scope, take) {
                    if number == 0 {
                        return Err(refused("a thread", error));
                    }
                    queue.state().limit(number);
                    break;
                }
            }
            drop(results);
            for (index, result) in inbox {
                if finished(index, result).is_break() {
                    queue.close();
                }
            }
            Ok(())
        })
    }
}

/// The waiting items, and the shares of those that run.
struct Queue(Mutex<State>);

struct State {
    next: usize,
    items: usize,
    /// Items that were put back, before those from `next` on.
    returned: Vec<usize>,
    at_once: usize,
    threads: usize,
    /// The running items, in the order of their start.
    running: Vec<Running>,
    /// No further item is taken.
    closed: bool,
}

struct Running {
    index: usize,
    share: ThreadShare,
    /// Whether nothing ran beside it from start to end: with one at a time, the next waits for it.
    alone: bool,
}

impl Queue {
    fn new(items: usize, at_once: usize, threads: usize) -> Self {
        Self(Mutex::new(State {
            next: 0,
            items,
            returned: Vec::new(),
            at_once,
            threads,
            running: Vec::new(),
            closed: false,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next item and its share; `None` if there is none, or `stopping`.
    fn take(&self, stopping: &(dyn Fn() -> bool + Sync)) -> Option<(usize, ThreadShare)> {
        let mut state = self.state();
        if state.closed || stopping() || state.running.len() >= state.at_once || state.waiting() == 0 {
            return None;
        }
        let share = ThreadShare::from(1);
        let index = state.returned.pop().unwrap_or(state.next);
        state.next = state.next.max(index + 1);
        let alone = state.at_once == 1;
        state.running.push(Running { index, share: share.clone(), alone });
        state.divide();
        Some((index, share))
    }

    /// Ends the share of an item that is done.
    fn give_back(&self, index: usize) {
        let mut state = self.state();
        state.remove(index);
        state.divide();
    }

    /// Puts an item back that starved, and runs fewer at once from now on; false if it ran alone, or none is taken any more.
    fn put_back(&self, index: usize) -> bool {
        let mut state = self.state();
        if state.closed || state.running.iter().any(|running| running.index == index && running.alone) {
            return false;
        }
        state.remove(index);
        state.returned.push(index);
        // Those beside it may have ended since: then it is tried alone.
        let others = state.running.len();
        state.limit(others);
        true
    }

    /// No further item is taken.
    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.items = state.next;
        state.returned.clear();
        state.divide();
    }
}

impl State {
    fn remove(&mut self, index: usize) {
        self.running.retain(|running| running.index != index);
    }

    fn waiting(&self) -> usize {
        self.items - self.next + self.returned.len()
    }

    /// At most `at_once` items run from now on.
    fn limit(&mut self, at_once: usize) {
        self.at_once = self.at_once.min(at_once.max(1));
        self.divide();
    }

    /// Divides the threads among the items that run, or are about to.
    fn divide(&mut self) {
        let sharing = (self.running.len() + self.waiting()).min(self.at_once).max(1);
        let (each, over) = (self.threads / sharing, self.threads % sharing);
        for (place, running) in self.running.iter().enumerate() {
            running.share.set((each + usize::from(place < over)).max(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Barrier, Condvar};

    #[test]
    fn nothing_is_taken_or_put_back_once_it_is_closed() {
        let queue = Queue::new(3, 2, 2);
        let (first, _) = queue.take(&|| false).unwrap();
        queue.take(&|| false).unwrap();
        queue.close();
        assert!(!queue.put_back(first), "its result counts as it is");
        assert!(queue.take(&|| false).is_none());
    }

    #[test]
    fn auto_takes_one_run_per_thread_as_far_as_memory_allows_and_never_more_than_there_are() {
        let config = RunConfig::default();
        let each = estimated_memory(&config);
        let choose = |jobs, threads, runs, free| {
            let (scheduler, limit) = Scheduler::choose(jobs, threads, runs, &config, free);
            (scheduler.at_once, limit.map(|limit| limit.instead_of))
        };
        assert_eq!(choose(Jobs::Auto, 4, 23, None), (4, None));
        assert_eq!(choose(Jobs::Auto, 4, 3, Some(each * 100)), (3, None));
        assert_eq!(choose(Jobs::Auto, 8, 23, Some(each * 4)), (3, Some(Some(8))), "a fifth of the memory stays free");
        assert_eq!(choose(Jobs::Auto, 8, 23, Some(0)), (1, Some(Some(8))));
        assert_eq!(choose(Jobs::Auto, 8, 1, Some(each)), (1, None), "not 1 instead of 1");
        assert_eq!(choose(Jobs::Auto, 8, 1, Some(each - 1)), (1, Some(None)));
        assert_eq!(choose(Jobs::Auto, 2, 0, Some(0)), (1, None));
        assert_eq!(choose(Jobs::Count(5), 2, 23, Some(each * 5)), (5, None));
        assert_eq!(choose(Jobs::Count(5), 2, 23, Some(each * 5 - 1)), (5, Some(None)), "a given number is obeyed");
        let cuda = RunConfig { device: "cuda".parse().unwrap(), ..RunConfig::default() };
        assert_eq!(Scheduler::choose(Jobs::Auto, 8, 2, &cuda, None).0.at_once, 1);
        let candle = RunConfig { engine: EngineKind::Candle, ..RunConfig::default() };
        assert_eq!(Scheduler::choose(Jobs::Auto, 8, 2, &candle, None).0.at_once, 1);
    }

    fn shares(queue: &Queue) -> Vec<usize> {
        queue.state().running.iter().map(|running| running.share.get()).collect()
    }

    #[test]
    fn running_items_share_the_threads_and_the_last_ones_get_those_that_become_free() {
        let queue = Queue::new(4, 3, 8);
        let go = || false;
        for _ in 0..3 {
            queue.take(&go).unwrap();
        }
        assert_eq!(shares(&queue), [3, 3, 2], "one is waiting");
        queue.give_back(1);
        queue.take(&go).unwrap();
        assert_eq!(shares(&queue), [3, 3, 2], "the last one took the free place");
        queue.give_back(0);
        assert_eq!(shares(&queue), [4, 4]);
        queue.give_back(3);
        assert_eq!(shares(&queue), [8]);
        assert!(queue.take(&go).is_none());
    }

    #[test]
    fn more_items_than_threads_have_one_thread_each_and_a_single_item_has_all() {
        let go = || false;
        let queue = Queue::new(9, 4, 2);
        for _ in 0..4 {
            queue.take(&go).unwrap();
        }
        assert_eq!(shares(&queue), [1, 1, 1, 1]);
        let single = Queue::new(1, 4, 6);
        single.take(&go).unwrap();
        assert_eq!(shares(&single), [6]);
    }

    #[test]
    fn items_are_taken_in_order_and_only_as_many_at_once_as_allowed() {
        for (at_once, count) in [(1, 5), (2, 7), (3, 3), (8, 4)] {
            let items: Vec<usize> = (0..count).collect();
            let (taken, running, most) = (Mutex::new(Vec::new()), AtomicUsize::new(0), AtomicUsize::new(0));
            let work = |item: &usize, _: &ThreadShare| {
                taken.lock().unwrap().push(*item);
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(2));
                running.fetch_sub(1, Ordering::SeqCst);
                item * 10
            };
            let mut results = vec![0; count];
            let mut finished = |index: usize, result| {
                results[index] = result;
                ControlFlow::Continue(())
            };
            Scheduler { at_once, threads: 4 }.run(&items, &|| false, &work, &|_, _| false, &mut finished).unwrap();
            assert_eq!(results, items.iter().map(|item| item * 10).collect::<Vec<_>>());
            let mut taken = taken.into_inner().unwrap();
            taken.sort_unstable();
            assert_eq!(taken, items);
            assert!((1..=at_once.min(count)).contains(&most.into_inner()));
        }
    }

    #[test]
    fn two_at_once_really_run_at_the_same_time() {
        let barrier = Barrier::new(2);
        let work = |_: &u8, share: &ThreadShare| {
            barrier.wait();
            share.get()
        };
        let mut seen = Vec::new();
        let mut finished = |_, threads| {
            seen.push(threads);
            ControlFlow::Continue(())
        };
        Scheduler { at_once: 2, threads: 2 }
            .run(&[0, 1, 2, 3], &|| false, &work, &|_, _| false, &mut finished)
            .unwrap();
        assert_eq!(seen.len(), 4, "a barrier of two passes only if two wait at once");
    }

    #[test]
    fn an_item_that_starves_beside_others_is_put_back_and_fewer_run_at_once_until_one_runs_alone() {
        let (running, starving) = (AtomicUsize::new(0), AtomicUsize::new(0));
        // Only two have room at once.
        let work = |_: &usize, _: &ThreadShare| {
            let beside = running.fetch_add(1, Ordering::SeqCst) + 1;
            std::thread::sleep(std::time::Duration::from_millis(3));
            running.fetch_sub(1, Ordering::SeqCst);
            beside <= 2
        };
        let starved = |_: &usize, had_room: &bool| {
            starving.fetch_add(usize::from(!had_room), Ordering::SeqCst);
            !had_room
        };
        let (items, mut results): (Vec<usize>, _) = ((0..40).collect(), vec![None; 40]);
        let mut finished = |index: usize, had_room| {
            assert!(results[index].replace(had_room).is_none(), "{index} is over once");
            ControlFlow::Continue(())
        };
        Scheduler { at_once: 8, threads: 8 }.run(&items, &|| false, &work, &starved, &mut finished).unwrap();
        assert_eq!(results, vec![Some(true); 40]);
        // Those that began with room for eight, then for seven, and so on.
        assert!((1..36).contains(&starving.into_inner()));
        // Alone, it has the result that it has.
        let mut seen = Vec::new();
        let mut finished = |index, result: bool| {
            seen.push((index, result));
            ControlFlow::Continue(())
        };
        let none = |_: &usize, _: &ThreadShare| false;
        Scheduler { at_once: 3, threads: 3 }.run(&items[..3], &|| false, &none, &|_, ok| !ok, &mut finished).unwrap();
        seen.sort_unstable();
        assert_eq!(seen, [(0, false), (1, false), (2, false)]);
    }

    #[test]
    fn after_a_break_or_a_stop_no_item_starts_and_the_running_ones_are_waited_for() {
        let (gate, open) = (Mutex::new(false), Condvar::new());
        let both = Barrier::new(2);
        let work = |item: &usize, _: &ThreadShare| {
            if *item <= 1 {
                // The first may not be over, and break, before the second has started.
                both.wait();
            }
            if *item == 1 {
                drop(open.wait_while(gate.lock().unwrap(), |closed| !*closed).unwrap());
            } else if *item > 1 {
                // Longer than the break takes to arrive.
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            *item
        };
        let mut seen = Vec::new();
        let mut finished = |index, _| {
            seen.push(index);
            *gate.lock().unwrap() = true;
            open.notify_all();
            ControlFlow::Break(())
        };
        let items: Vec<usize> = (0..100).collect();
        Scheduler { at_once: 2, threads: 2 }.run(&items, &|| false, &work, &|_, _| false, &mut finished).unwrap();
        assert!(seen.contains(&0) && seen.contains(&1), "{seen:?}");
        assert!(seen.len() < 100, "nothing is started after a break: {seen:?}");

        let stop = AtomicBool::new(false);
        let started = AtomicUsize::new(0);
        let work = |_: &usize, _: &ThreadShare| {
            started.fetch_add(1, Ordering::SeqCst);
            stop.store(true, Ordering::SeqCst);
        };
        let mut finished = |_, ()| ControlFlow::Continue(());
        Scheduler { at_once: 1, threads: 2 }
            .run(&items, &|| stop.load(Ordering::SeqCst), &work, &|_, _| false, &mut finished)
            .unwrap();
        assert_eq!(started.into_inner(), 1);
    }
}
