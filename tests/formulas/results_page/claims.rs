//! Textbook claims: what becomes of each in a published comparison.

use super::{accuracy, complete, page, planned};
use lrsched::stats::distribution::{holm, student_t_quantile, student_t_tail};
use lrsched::stats::{mean, standard_deviation};

/// An entrant of a published comparison.
type Entrant = (&'static str, &'static str);

/// That `a` does better than `b`, or at least as well.
#[derive(Debug, Clone, Copy)]
struct Claim {
    says: &'static str,
    a: Entrant,
    b: Entrant,
    /// `a` may be so many points worse: 0 if it must be better, more if it must only keep up.
    margin: f64,
}

const fn beats(says: &'static str, a: Entrant, b: Entrant) -> Claim {
    Claim { says, a, b, margin: 0.0 }
}

/// Half a point: too little to choose a schedule by.
const fn keeps_up(says: &'static str, a: Entrant, b: Entrant) -> Claim {
    Claim { says, a, b, margin: 0.5 }
}

/// The differences within the units that are complete in both comparisons, in points.
fn differences(claim: &Claim) -> Vec<f64> {
    let [a, b] =
        [claim.a, claim.b].map(|(comparison, entrant)| complete(comparison).remove(entrant).unwrap_or_default());
    a.iter().filter_map(|(seed, row)| Some(accuracy(row) - accuracy(b.get(seed)?))).collect()
}

/// The least step between two accuracies, in points: all these comparisons validate on 5,000 images.
const GRAIN: f64 = 100.0 / 5000.0;

/// The mean, half of its 95 % interval and the two-sided p-value of the paired t-test that the mean is `-margin`; two differences at least.
/// As in the verdicts, they deviate by no less than rounding to whole images makes them.
fn t_test(differences: &[f64], margin: f64) -> Option<(f64, f64, f64)> {
    let degrees = differences.len().checked_sub(1).filter(|degrees| *degrees > 0)? as u32;
    let mean = mean(differences)?;
    let error = standard_deviation(differences)?.max(GRAIN / 6.0_f64.sqrt()) / (differences.len() as f64).sqrt();
    let p = 2.0 * student_t_tail((mean + margin).abs() / error, degrees);
    Some((mean, student_t_quantile(0.975, degrees) * error, p))
}

fn each(differences: &[f64]) -> String {
    let each: Vec<String> = differences.iter().map(|difference| format!("{difference:+.1}")).collect();
    each.join(", ")
}

fn verdict((mean, half, _): (f64, f64, f64), margin: f64) -> &'static str {
    match (mean - half, mean + half) {
        (low, _) if low > -margin => "holds",
        (_, high) if high < -margin => "does not hold",
        _ => "cannot be told",
    }
}

const SHORT: &str = "tuned-cifar10-5000";

const AFTER_120_UPDATES: [Claim; 13] = [
    beats("cyclical rates beat a fixed one (Smith 2017)", (SHORT, "sgd/triangular2"), (SHORT, "sgd/constant")),
    beats("one cycle beats steps (Smith and Topin 2018)", (SHORT, "sgd/one-cycle"), (SHORT, "sgd/step")),
    beats("linear decay to 0 beats cosine (arXiv:2310.07831)", (SHORT, "sgd/linear"), (SHORT, "sgd/cosine")),
    beats("linear decay to 0 beats steps (arXiv:2310.07831)", (SHORT, "sgd/linear"), (SHORT, "sgd/step")),
    beats(
        "linear decay helps Adam, too (arXiv:2502.15938, on language models)",
        (SHORT, "adam/linear"),
        (SHORT, "adam/constant"),
    ),
    beats(
        "SGD beats adaptive methods (Wilson et al. 2017), at a constant rate: Adam",
        (SHORT, "sgd/constant"),
        (SHORT, "adam/constant"),
    ),
    beats("… RMSprop", (SHORT, "sgd/constant"), (SHORT, "rmsprop/constant")),
    beats("… Adagrad", (SHORT, "sgd/constant"), (SHORT, "adagrad/constant")),
    beats("… Adadelta, not in that paper", (SHORT, "sgd/constant"), (SHORT, "adadelta/constant")),
    beats("the same with linear decay: Adam", (SHORT, "sgd/linear"), (SHORT, "adam/linear")),
    beats("… RMSprop", (SHORT, "sgd/linear"), (SHORT, "rmsprop/linear")),
    beats("… Adagrad", (SHORT, "sgd/linear"), (SHORT, "adagrad/linear")),
    beats("… Adadelta, not in that paper", (SHORT, "sgd/linear"), (SHORT, "adadelta/linear")),
];

#[test]
fn what_becomes_of_textbook_claims_after_120_updates_follows_from_the_tuned_comparison() {
    page::check("claims after 120 updates", &table(&AFTER_120_UPDATES));
}

const STARTING_LOW: &str = "warm-up-sgd";

/// Chosen when the results of `SHORT` were known, before any final of `STARTING_LOW`.
const OF_A_LOW_START: [Claim; 5] = [
    beats("a warm-up helps linear decay", (STARTING_LOW, "sgd/linear with warm-up"), (SHORT, "sgd/linear")),
    beats("… cosine", (STARTING_LOW, "sgd/cosine with warm-up"), (SHORT, "sgd/cosine")),
    beats("… steps", (STARTING_LOW, "sgd/step with warm-up"), (SHORT, "sgd/step")),
    beats("… a constant rate", (STARTING_LOW, "sgd/constant with warm-up"), (SHORT, "sgd/constant")),
    beats(
        "`wsd` beats linear decay with a warm-up as long as its own",
        (SHORT, "sgd/wsd"),
        (STARTING_LOW, "sgd/linear with warm-up"),
    ),
];

#[test]
fn what_a_low_start_does_after_120_updates_follows_from_the_tuned_comparisons() {
    page::check("claims of a low start", &table(&OF_A_LOW_START));
}

const FRESH: &str = "low-start-fresh";

/// The first of `OF_A_LOW_START` on fresh studies, fixed before any of their finals.
const OF_A_LOW_START_AGAIN: [Claim; 1] =
    [beats("a warm-up helps linear decay", (FRESH, "sgd/linear with warm-up"), (FRESH, "sgd/linear"))];

#[test]
fn what_a_low_start_does_in_fresh_studies_follows_from_them() {
    page::check("claim of a low start, fresh studies", &table(&OF_A_LOW_START_AGAIN));
}

const WHOLE: &str = "cifar10";

/// Fixed before any final of these comparisons was trained.
const ON_ALL_OF_CIFAR10: [Claim; 13] = [
    beats("cyclical rates beat a fixed one (Smith 2017)", (WHOLE, "sgd/triangular2"), (WHOLE, "sgd/constant")),
    keeps_up(
        "cyclical rates reach in 3 epochs what a fixed one does in 5 (Smith 2017)",
        ("fewer-epochs", "sgd/triangular2"),
        (WHOLE, "sgd/constant"),
    ),
    beats("one cycle beats steps (Smith and Topin 2018)", (WHOLE, "sgd/one-cycle"), (WHOLE, "sgd/step")),
    keeps_up(
        "one cycle reaches in 3 epochs what steps do in 5 (Smith and Topin 2018)",
        ("fewer-epochs", "sgd/one-cycle"),
        (WHOLE, "sgd/step"),
    ),
    beats("linear decay to 0 beats cosine (arXiv:2310.07831)", (WHOLE, "sgd/linear"), (WHOLE, "sgd/cosine")),
    beats("linear decay to 0 beats steps (arXiv:2310.07831)", (WHOLE, "sgd/linear"), (WHOLE, "sgd/step")),
    beats(
        "linear decay helps Adam, too (arXiv:2502.15938, on language models)",
        (WHOLE, "adam/linear"),
        (WHOLE, "adam/constant"),
    ),
    beats(
        "tuned SGD beats adaptive methods at their usual rates, all constant (weaker than Wilson et al. 2017, who tuned both): Adam",
        (WHOLE, "sgd/constant"),
        ("defaults", "adam/constant"),
    ),
    beats("… RMSprop", (WHOLE, "sgd/constant"), ("defaults", "rmsprop/constant")),
    beats("… Adagrad", (WHOLE, "sgd/constant"), ("defaults", "adagrad/constant")),
    keeps_up(
        "tuned Adam keeps up with tuned SGD (arXiv:1910.05446; here only the rate is tuned)",
        (WHOLE, "adam/linear"),
        (WHOLE, "sgd/linear"),
    ),
    beats("warm-up helps Adam (arXiv:1908.03265)", ("warm-up", "adam/linear with warm-up"), (WHOLE, "adam/linear")),
    keeps_up(
        "schedule-free SGD keeps up with a tuned schedule (arXiv:2405.15682; here without warm-up)",
        (WHOLE, "schedule-free-sgd/constant"),
        (WHOLE, "sgd/linear"),
    ),
];

#[test]
fn what_becomes_of_textbook_claims_on_all_of_cifar10_follows_from_the_comparisons() {
    page::check("claims on all of CIFAR-10", &table(&ON_ALL_OF_CIFAR10));
}

/// What becomes of each of `claims`, with p-values corrected for all of them. They are judged together and once, when all results
/// are there: whoever stops at the first that holds finds more false ones.
fn table(claims: &[Claim]) -> String {
    let tested: Vec<_> =
        claims.iter().map(|claim| (differences(claim), t_test(&differences(claim), claim.margin))).collect();
    let units = |claim: &Claim| planned(claim.a.0).1.min(planned(claim.b.0).1);
    let is_complete = |(claim, (differences, _)): (&Claim, &(Vec<f64>, _))| differences.len() == units(claim);
    let adjusted = claims.iter().zip(&tested).all(is_complete).then(|| {
        let p: Vec<f64> = tested.iter().map(|(_, test)| test.map_or(1.0, |(.., p)| p)).collect();
        holm(&p, claims.len())
    });
    let mut table = String::from(
        "| claim | difference of | in each study, points | mean (95 % interval), points | p, Holm | here |\n| --- | --- | ---: | ---: | ---: | --- |\n",
    );
    for (index, (claim, (differences, test))) in claims.iter().zip(&tested).enumerate() {
        let place = |(comparison, entrant): Entrant| match comparison {
            WHOLE | SHORT => format!("`{entrant}`"),
            _ => format!("`{entrant}` of `{comparison}`"),
        };
        let (says, a, b) = (claim.says, place(claim.a), place(claim.b));
        let under_way = match (differences.len(), units(claim)) {
            (n, units) if n == units => format!("to be judged with the others (n = {n})"),
            (n, units) => format!("under way (n = {n} of {units})"),
        };
        let result = match (differences.as_slice(), test) {
            ([], _) => "| | | not run yet".to_string(),
            (only, None) => format!("{} | | | {under_way}", each(only)),
            (all, Some(test)) => {
                let (mean, half, _) = *test;
                // An interval that excludes 0 would be read as a result, and intervals that are looked at as results come in exclude it too often.
                let interval = if all.len() == units(claim) {
                    format!(" ({:+.1} to {:+.1})", mean - half, mean + half)
                } else {
                    String::new()
                };
                let (p, here) = match adjusted.as_ref().map(|adjusted| adjusted[index]) {
                    Some(p) => {
                        let here = if p <= 0.05 { verdict(*test, claim.margin) } else { "cannot be told" };
                        (if p < 0.001 { "< 0.001 ".to_string() } else { format!("{p:.3} ") }, here.to_string())
                    }
                    None => (String::new(), under_way),
                };
                format!("{} | {mean:+.1}{interval} | {p}| {here}", each(all))
            }
        };
        table += &format!("| {says} | {a} and {b} | {result} |\n");
    }
    table
}
