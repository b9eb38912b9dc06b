//! What tuning does to a claim: comparisons of entrants whose accuracy at every rate is known, tuned as `compare --tune` tunes them.
//!
//! `cargo test --release --test formulas tuning_claims -- --nocapture` prints the figures of docs/STATISTICS.md.

use lrsched::random::{Purpose, keyed, normal, uniform};
use lrsched::stats::mean;
use lrsched::stats::tuning::{SCREENING, Trial, choose, points, second_looks};
use lrsched::stats::verdict::{Difference, Results, Standing, judge, order};
use rand_core::Rng;

/// No claim may be false in more than this share of comparisons: 5 %, and what chance adds to a simulation.
const MOST: f64 = 0.06;

/// The range of the rate, in decades.
const DECADES: f64 = 3.0;

/// The standard deviation of a run.
const NOISE: f64 = 0.01;

/// The accuracy at each place of the range, from 0 to 1: 70 % at the best rate, 2 points less half a decade from it and 8 a decade
/// from it; a run diverges 1.2 decades above it.
#[derive(Debug, Clone, Copy)]
struct Response {
    best: f64,
    /// Above the accuracy of the others.
    lead: f64,
}

impl Response {
    fn accuracy(self, place: f64) -> f64 {
        let decades = (place - self.best) * DECADES;
        if decades > 1.2 { 0.1 } else { (0.7 + self.lead - 0.08 * decades.powi(2)).max(0.1) }
    }

    fn run(self, place: f64, rng: &mut impl Rng) -> f64 {
        self.accuracy(place) + NOISE * f64::from(normal(rng))
    }

    /// The chosen trial of a study with the points `places`.
    fn tuned(self, places: &[f64], rng: &mut impl Rng) -> Trial {
        let mut trials = self.tried(places, rng);
        for number in second_looks(&trials) {
            let place = trials[number as usize].rate;
            let looks = [self.run(place, rng), self.run(place, rng)];
            trials[number as usize].looks.extend(looks);
        }
        choose(&trials).unwrap().clone()
    }

    /// One look at each point, whose place stands for its rate.
    fn tried(self, places: &[f64], rng: &mut impl Rng) -> Vec<Trial> {
        let trial =
            |(number, &rate): (usize, &f64)| Trial { number: number as u64, rate, looks: vec![self.run(rate, rng)] };
        places.iter().enumerate().map(trial).collect()
    }
}

/// The places of `count` trials; the same for all entrants of a study.
fn places(count: u64, rng: &mut impl Rng) -> Vec<f64> {
    points(&[f64::from(uniform(rng))], count).into_iter().flatten().collect()
}

/// Entrants that are equal, each at another best rate.
fn equals(k: usize, rng: &mut impl Rng) -> Vec<Response> {
    (0..k).map(|_| Response { best: 0.3 + 0.3 * f64::from(uniform(rng)), lead: 0.0 }).collect()
}

/// The finals of `studies`, each with a tuning of its own and with so many `seeds`: one result per study, or of one study one
/// per seed.
fn finals(entrants: &[Response], studies: u64, seeds: u64, rng: &mut impl Rng) -> Vec<Results> {
    let mut results = vec![Results::new(); entrants.len()];
    for study in 0..studies {
        let places = places(8, rng);
        for (entrant, results) in entrants.iter().zip(&mut results) {
            let rate = entrant.tuned(&places, rng).rate;
            results.extend((0..seeds).map(|seed| (study * seeds + seed, entrant.run(rate, rng))));
        }
    }
    results
}

/// In how many comparisons of equals there is a winner, one said to beat another, and a certain one ruled out as the best.
#[derive(Debug, Clone, Default)]
struct False {
    winner: f64,
    beats: f64,
    ruled_out: f64,
}

fn simulate(k: usize, studies: u64, seeds: u64, repeats: u64) -> False {
    let mut counts = False::default();
    let mut out = vec![0.0; k];
    for repeat in 0..repeats {
        let mut rng = keyed(repeat, Purpose::Synthetic, 1000 + studies, 100 * seeds + k as u64);
        let entrants = equals(k, &mut rng);
        let verdict = judge(&finals(&entrants, studies, seeds, &mut rng), None, None);
        counts.winner += f64::from(u8::from(verdict.winner().is_some()));
        counts.beats += f64::from(u8::from(!verdict.wins.is_empty()));
        for (count, standing) in out.iter_mut().zip(&verdict.standings) {
            *count += f64::from(u8::from(*standing == Standing::RuledOut));
        }
    }
    let share = |count: f64| count / repeats as f64;
    False {
        winner: share(counts.winner),
        beats: share(counts.beats),
        ruled_out: share(out.into_iter().fold(0.0, f64::max)),
    }
}

#[test]
fn a_claim_from_studies_that_tune_anew_is_false_in_at_most_6_percent() {
    for (k, repeats) in [(2, 20_000), (5, 10_000), (20, 2000)] {
        for studies in [3, 5, 10] {
            let found = simulate(k, studies, 1, repeats);
            let shown = [found.winner, found.beats, found.ruled_out].map(|share| format!("{:.1}", 100.0 * share));
            println!("| {k} | {studies} | {} |", shown.join(" / "));
            assert!(
                found.winner.max(found.beats).max(found.ruled_out) <= MOST,
                "k = {k}, {studies} studies: {found:?}"
            );
        }
    }
}

#[test]
fn fresh_seeds_of_one_tuning_tell_equal_entrants_apart_far_too_often() {
    for (k, repeats) in [(2, 4000), (5, 4000), (20, 1000)] {
        for seeds in [3, 5, 10] {
            let found = simulate(k, 1, seeds, repeats);
            let shown = [found.winner, found.beats, found.ruled_out].map(|share| format!("{:.1}", 100.0 * share));
            println!("| {k} | {seeds} | {} |", shown.join(" / "));
            // That is why three studies are the default, and why one supports a claim about its settings alone.
            assert!(seeds < 10 || found.beats > 1.5 * MOST, "k = {k}, {seeds} seeds: {found:?}");
        }
    }
}

/// Of many tunings of one entrant, in points of accuracy: how much better the looks of the chosen trial are than a run at its rate,
/// and how much worse that is than the best rate.
fn of_choice(trials: u64, chosen: impl Fn(Response, &[f64], &mut dyn Rng) -> Trial, even: bool) -> (f64, f64) {
    let (mut too_good, mut lost) = (Vec::new(), Vec::new());
    for repeat in 0..20_000 {
        let mut rng = keyed(repeat, Purpose::Synthetic, 2000 + u64::from(even), trials);
        let entrant = equals(1, &mut rng)[0];
        let places = match even {
            true => places(trials, &mut rng),
            false => (0..trials).map(|_| f64::from(uniform(&mut rng))).collect(),
        };
        let trial = chosen(entrant, &places, &mut rng);
        let accuracy = entrant.accuracy(trial.rate);
        too_good.push(100.0 * (mean(&trial.looks).unwrap() - accuracy));
        lost.push(100.0 * (0.7 - accuracy));
    }
    (mean(&too_good).unwrap(), mean(&lost).unwrap())
}

#[test]
fn second_looks_at_evenly_spread_trials_lose_little_and_the_accuracy_of_what_was_chosen_is_too_good() {
    let first = |entrant: Response, places: &[f64], mut rng: &mut dyn Rng| {
        let trials = entrant.tried(places, &mut rng);
        trials.into_iter().max_by(|a, b| a.looks[0].total_cmp(&b.looks[0])).unwrap()
    };
    let again = |entrant: Response, places: &[f64], mut rng: &mut dyn Rng| entrant.tuned(places, &mut rng);
    let even = of_choice(8, first, true);
    let random = of_choice(8, first, false);
    let looked_at_again = of_choice(8, again, true);
    let sixteen = of_choice(16, first, true);
    println!(
        "8 evenly spread trials: {even:.2?}; 8 random ones: {random:.2?}; with second looks: {looked_at_again:.2?}; 16: {sixteen:.2?}"
    );
    assert!(even.1 < 0.75 * random.1 && looked_at_again.1 < even.1, "{even:?} {random:?} {looked_at_again:?}");
    assert!(even.0 > 0.3 && sixteen.0 > even.0 && looked_at_again.0 < even.0, "{even:?} {sixteen:?}");
}

#[test]
fn the_best_of_evenly_spread_trials_is_higher_than_order_statistics_of_independent_ones_say() {
    let (mut highest, mut expected) = (Vec::new(), Vec::new());
    for repeat in 0..5000 {
        let mut rng = keyed(repeat, Purpose::Synthetic, 3000, 0);
        let entrant = equals(1, &mut rng)[0];
        let places = places(8, &mut rng);
        let mut looks: Vec<f64> = entrant.tried(&places, &mut rng).iter().map(|trial| trial.looks[0]).collect();
        looks.sort_by(f64::total_cmp);
        highest.push(looks[7]);
        // The highest of eight draws from the eight, with replacement.
        let below = |count: usize| (count as f64 / 8.0).powi(8);
        expected.push(looks.iter().enumerate().map(|(at, look)| look * (below(at + 1) - below(at))).sum::<f64>());
    }
    let off = 100.0 * (mean(&expected).unwrap() - mean(&highest).unwrap());
    println!("order statistics are off by {off:.1} points");
    assert!(off < -0.5, "{off}");
}

#[test]
fn with_the_same_runs_a_screening_finds_the_best_far_more_often() {
    let share = |found: &dyn Fn(u64) -> bool| (0..2000).filter(|repeat| found(*repeat)).count() as f64 / 2000.0;
    for gap in [1.0, 2.0] {
        let run = |entrant: usize, rng: &mut dyn Rng| {
            let mut rng = rng;
            let lead = if entrant == 0 { gap * NOISE } else { 0.0 };
            0.7 + lead + NOISE * f64::from(normal(&mut rng))
        };
        let results = |entrants: &[usize], seeds: u64, rng: &mut dyn Rng| -> Vec<Results> {
            let of = |entrant: &usize| (0..seeds).map(|seed| (seed, run(*entrant, rng))).collect();
            entrants.iter().map(of).collect()
        };
        let all: Vec<usize> = (0..20).collect();
        let at_once = share(&|repeat| {
            let mut rng = keyed(repeat, Purpose::Synthetic, 4000, gap as u64);
            judge(&results(&all, 5, &mut rng), None, None).winner() == Some(0)
        });
        let screened = share(&|repeat| {
            let mut rng = keyed(repeat, Purpose::Synthetic, 5000, gap as u64);
            let finalists: Vec<usize> = order(&results(&all, SCREENING, &mut rng)).into_iter().take(4).collect();
            let winner = judge(&results(&finalists, 10, &mut rng), None, None).winner();
            winner.is_some_and(|place| finalists[place] == 0)
        });
        println!("gap {gap}: 20 x 5 {:.1} %, 20 x 3 and 4 x 10 {:.1} %", 100.0 * at_once, 100.0 * screened);
        assert!(screened > at_once + 0.1, "{at_once} {screened}");
    }
}

#[test]
fn adding_seeds_to_those_that_asked_for_more_names_false_winners() {
    let repeats = 4000;
    let is_false = |repeat: &u64| {
        let mut rng = keyed(*repeat, Purpose::Synthetic, 6000, 0);
        let mut results = vec![Results::new(); 2];
        let mut wanted = 3;
        // As often as a patient user would.
        for _ in 0..5 {
            for results in &mut results {
                let known = results.len() as u64;
                results.extend((known..wanted).map(|seed| (seed, 0.7 + NOISE * f64::from(normal(&mut rng)))));
            }
            let verdict = judge(&results, None, None);
            if verdict.winner().is_some() {
                return true;
            }
            let more = Difference::of(&results[0], &results[1], 0.001).and_then(|gap| gap.seeds_for_power());
            wanted = more.map_or(200, |more| more as u64).max(wanted + 1).min(200);
        }
        false
    };
    let share = (0..repeats).filter(is_false).count() as f64 / repeats as f64;
    println!("a false winner in {:.1} %", 100.0 * share);
    assert!(share > 1.5 * MOST, "{share}");
}
