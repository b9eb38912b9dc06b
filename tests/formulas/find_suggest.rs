//! The rates that a range test suggests: on stored curves, and against what fastai and pytorch-lr-finder say about the same curves.
//!
//! The curves, and the peers' figures, were made by `scripts/golden_range.py`.

use lrsched::record::RangeRow;
use lrsched::report::range::RangeTests;
use lrsched::stats::suggest::{
    Answer, Combined, MEASURED, Method, RangePoint, Suggestion, combine, headline, range, steepest, suggest, valley,
};
use std::collections::BTreeMap;
use std::path::Path;

type Curve = Vec<RangePoint>;

/// A point of a curve without noise, of an optimizer without momentum.
fn point(rate: f64, loss: f64, accuracy: Option<f64>) -> RangePoint {
    RangePoint { rate, batch_loss: loss, loss, momentum: None, accuracy }
}

fn golden(file: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/range").join(file);
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.records().map(|record| record.unwrap().iter().map(String::from).collect()).collect()
}

fn curves() -> BTreeMap<String, Curve> {
    let mut curves: BTreeMap<String, Curve> = BTreeMap::new();
    for row in golden("curves.csv") {
        let number = |i: usize| row[i].parse::<f64>().unwrap();
        let accuracy = (!row[3].is_empty()).then(|| number(3));
        curves.entry(row[0].clone()).or_default().push(point(number(1), number(2), accuracy));
    }
    curves
}

/// The rate that `function` of a peer suggests.
fn peer(curve: &str, function: &str) -> f64 {
    let rows = golden("peers.csv");
    let row = rows.iter().find(|row| row[0] == curve && row[1] == function);
    row.unwrap_or_else(|| panic!("{curve}: no {function}"))[2].parse().unwrap()
}

fn of(points: &[RangePoint], method: Method) -> Result<Answer, String> {
    suggest(points, MEASURED).into_iter().find(|suggestion| suggestion.method == method).unwrap().answer
}

fn rate(curve: &str, method: Method) -> f64 {
    of(&curves()[curve], method).unwrap_or_else(|why| panic!("{curve}: {why}")).rate
}

fn why_not(curve: &str, method: Method) -> String {
    of(&curves()[curve], method).err().unwrap_or_else(|| panic!("{curve}: {method:?} has an answer"))
}

/// Rates and losses as fastai and pytorch-lr-finder trim them.
fn trimmed(curve: &str) -> (Vec<f64>, Vec<f64>) {
    let points = &curves()[curve];
    let kept = points[10..points.len() - 5].iter().take_while(|point| point.loss.is_finite());
    kept.map(|point| (point.rate, point.loss)).unzip()
}

fn near(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-9, "{found}, expected {expected}");
}

#[test]
fn the_valley_is_fastais_on_every_curve_that_has_one() {
    for curve in ["smooth", "noisy", "monotone", "never-diverging", "nan-tail", "two-valleys"] {
        near(rate(curve, Method::Valley), peer(curve, "fastai.valley"));
    }
    // Where nothing falls fastai still names a place, and so does the bare function; a suggestion says why there is none.
    for curve in ["rising", "flat-noise"] {
        let (rates, losses) = trimmed(curve);
        near(rates[valley(&losses).map_or(0, |valley| valley.place)], peer(curve, "fastai.valley"));
        assert!(why_not(curve, Method::Valley).contains("nothing was learned"));
    }
}

#[test]
fn the_minimum_is_fastais_where_it_lies_inside_and_else_says_that_it_lies_beyond() {
    for curve in ["smooth", "noisy", "never-diverging", "nan-tail", "two-valleys"] {
        near(rate(curve, Method::Minimum), peer(curve, "fastai.minimum"));
    }
    assert!(why_not("monotone", Method::Minimum).contains("raise --max-lr"));
}

#[test]
fn the_slope_between_neighbours_is_steepest_where_pytorch_lr_finder_says() {
    for curve in ["smooth", "noisy", "monotone", "never-diverging", "two-valleys", "flat-noise"] {
        let (rates, losses) = trimmed(curve);
        near(rates[steepest(&rates, &losses, 1).unwrap().0], peer(curve, "pytorch-lr-finder.steepest"));
    }
    // It names the slowest rise where nothing falls.
    let (rates, losses) = trimmed("rising");
    assert_eq!(steepest(&rates, &losses, 1), None);
}

#[test]
fn the_steepest_slope_is_within_a_step_or_two_of_the_peers_on_smooth_curves_and_not_led_astray_by_noise() {
    let step = (1e6_f64).powf(1.0 / 99.0);
    for curve in ["smooth", "nan-tail"] {
        let apart = (rate(curve, Method::Steepest) / peer(curve, "fastai.steep")).ln().abs();
        assert!(apart <= 2.01 * step.ln(), "{curve}: {apart}");
    }
    // Without the noise it is at 0.003.
    let noisy = rate("noisy", Method::Steepest);
    assert!((0.0015..0.006).contains(&noisy), "{noisy}");
}

#[test]
fn every_answer_is_a_rate_that_was_tested_and_every_refusal_a_sentence() {
    for (name, points) in curves() {
        let (low, high) = (points[0].rate, points[points.len() - 1].rate);
        for Suggestion { method, answer } in suggest(&points, MEASURED) {
            match answer {
                // minimum/10 and max/4 may lie below the lowest rate tested.
                Ok(Answer { rate, reason }) => assert!(
                    rate.is_finite() && rate >= low / 10.0 && rate <= high && !reason.is_empty(),
                    "{name} {method:?}: {rate}"
                ),
                Err(why) => assert!(why.len() > 20, "{name} {method:?}: {why}"),
            }
        }
    }
}

#[test]
fn a_curve_that_never_falls_or_is_noise_suggests_nothing_and_says_that_nothing_was_learned() {
    for curve in ["rising", "flat-noise"] {
        for method in [Method::Valley, Method::Steepest, Method::Minimum] {
            assert!(why_not(curve, method).contains("nothing was learned"));
        }
    }
    assert!(why_not("flat-noise", Method::Plateau).contains("never rises"));
    assert!(why_not("rising", Method::Base).contains("the number of validations must be at least 8, got 0"));
}

#[test]
fn a_monotone_curve_has_a_valley_that_says_it_goes_on() {
    let answer = of(&curves()["monotone"], Method::Valley).unwrap();
    assert!(answer.reason.contains("still falls at the end"), "{}", answer.reason);
}

#[test]
fn a_nan_tail_changes_nothing_that_came_before_it() {
    for method in [Method::Valley, Method::Minimum] {
        near(rate("nan-tail", method), rate("smooth", method));
    }
}

#[test]
fn a_fall_that_ends_in_a_sudden_blow_up_has_its_minimum_there_and_asks_for_no_higher_rates() {
    let mut points = curves()["monotone"].clone();
    for (i, point) in points.iter_mut().enumerate().skip(97) {
        point.loss = [3.0, 9.0, f64::NAN][i - 97];
    }
    let minimum = of(&points, Method::Minimum).unwrap();
    near(minimum.rate, points[94].rate / 10.0);
    let valley = of(&points, Method::Valley).unwrap();
    assert!(!valley.reason.contains("still falls"), "{}", valley.reason);
}

#[test]
fn a_loss_that_falls_from_where_it_blew_up_is_not_the_steepest() {
    let mut points = curves()["smooth"].clone();
    let before = of(&points, Method::Steepest).unwrap().rate;
    for (i, point) in points.iter_mut().enumerate().skip(75) {
        point.loss = 60.0 - 2.0 * (i - 75) as f64;
    }
    near(of(&points, Method::Steepest).unwrap().rate, before);
}

#[test]
fn of_two_valleys_the_longer_one_counts() {
    let (rates, losses) = trimmed("two-valleys");
    let valley = valley(&losses).unwrap();
    assert!(rates[valley.end] > 0.1 && rates[valley.place] < 0.1, "{valley:?}");
    // Two falls of equal steps: the one with more of them, wherever it stands.
    let falls = |first: usize, second: usize| -> Vec<f64> {
        let fall = |n: usize, from: f64| (0..n).map(move |i| from - i as f64);
        fall(first, 100.0).chain(fall(second, 300.0)).collect()
    };
    assert_eq!(lrsched::stats::suggest::valley(&falls(10, 30)).unwrap().end, 39);
    assert_eq!(lrsched::stats::suggest::valley(&falls(30, 10)).unwrap().end, 29);
}

#[test]
fn rates_and_losses_that_are_none_never_make_a_suggestion_that_is_none() {
    let mut points = curves()["smooth"].clone();
    for (i, point) in points.iter_mut().enumerate() {
        match i % 7 {
            1 => point.rate = [0.0, f64::NAN, -1.0, f64::INFINITY][i % 4],
            3 => point.accuracy = None,
            _ => {}
        }
    }
    let zeros =
        points.iter().map(|point| RangePoint { batch_loss: 0.0, loss: 0.0, accuracy: Some(0.0), ..*point }).collect();
    for points in [points, zeros] {
        for Suggestion { method, answer } in suggest(&points, MEASURED) {
            assert!(
                answer.as_ref().map_or(true, |answer| answer.rate.is_finite() && answer.rate > 0.0),
                "{method:?}: {answer:?}"
            );
        }
    }
}

#[test]
fn empty_and_short_curves_say_that_they_are_too_short() {
    let points: Curve = curves()["smooth"][..7].to_vec();
    for points in [&[][..], &points[..1], &points] {
        for Suggestion { method, answer } in suggest(points, MEASURED) {
            let why = answer.err().unwrap_or_else(|| panic!("{method:?} of {} points", points.len()));
            assert!(why.contains("must be at least") || method == Method::Floor, "{why}");
        }
    }
    assert_eq!(valley(&[]), None);
    assert_eq!(valley(&[1.0, 2.0, 3.0]), None);
    assert_eq!(steepest(&[], &[], 1), None);
}

/// An accuracy of 10 % that climbs to 50 % between the rates 1e-4 and 1e-2 and falls off from 0.1 on.
fn textbook(looks: usize) -> Curve {
    let accuracy = |x: f64| 0.1 + 0.4 * ((x + 4.0) / 2.0).clamp(0.0, 1.0) * (1.0 - (x + 1.0) / 0.2).clamp(0.0, 1.0);
    let at = |i: usize| {
        let x = -5.0 + 6.0 * i as f64 / (looks - 1) as f64;
        point(10_f64.powf(x), 2.3, Some(accuracy(x)))
    };
    (0..looks).map(at).collect()
}

#[test]
fn smiths_pair_is_where_the_accuracy_starts_to_rise_and_where_it_rises_no_further() {
    let points = textbook(61);
    // A tenth of the rise happens a tenth of the way up, at 10^-3.8.
    let base = of(&points, Method::Base).unwrap();
    assert!((10_f64.powf(-4.0)..10_f64.powf(-3.7)).contains(&base.rate), "{base:?}");
    let max = of(&points, Method::Max).unwrap();
    assert!((0.9 * 0.0079..=0.9 * 0.0127).contains(&max.rate) && max.reason.contains("50.0 %"), "{max:?}");
    near(of(&points, Method::Floor).unwrap().rate, max.rate / 4.0);
    // From 10^-2.2, where nine tenths of the rise have happened, to the fall at 10^-1.
    let plateau = of(&points, Method::Plateau).unwrap();
    assert!((0.02..0.03).contains(&plateau.rate), "{plateau:?}");
}

#[test]
fn a_single_look_that_falls_to_half_is_ragged_and_ends_smiths_range() {
    let mut points = textbook(61);
    let place = points.iter().position(|point| point.rate > 0.004).unwrap();
    points[place].accuracy = Some(0.15);
    let max = of(&points, Method::Max).unwrap();
    assert!(max.reason.contains("ragged"), "{max:?}");
    near(max.rate, 0.9 * points[place - 1].rate);
}

#[test]
fn an_accuracy_that_still_rises_at_the_end_asks_for_higher_rates_and_one_that_rises_at_once_for_lower_ones() {
    let points = textbook(61);
    let rising: Curve = points.iter().copied().filter(|point| point.rate < 0.003).collect();
    for method in [Method::Max, Method::Plateau, Method::Floor] {
        assert!(of(&rising, method).unwrap_err().contains("raise --max-lr"), "{method:?}");
    }
    let late: Curve = points.iter().copied().filter(|point| point.rate > 4e-4).collect();
    assert!(of(&late, Method::Base).unwrap().reason.contains("below --min-lr"));
}

#[test]
fn of_a_cycle_only_the_way_up_counts() {
    let up = curves()["smooth"].clone();
    let down = up.iter().rev().skip(1).map(|point| RangePoint { batch_loss: 0.1, loss: 0.1, ..*point });
    let cycle: Curve = up.iter().copied().chain(down).collect();
    assert_eq!(suggest(&cycle, MEASURED), suggest(&up, MEASURED));
}

fn said(rates: [Option<f64>; 8]) -> Vec<Suggestion> {
    let answer = |rate: Option<f64>| {
        rate.map(|rate| Answer { rate, reason: format!("because of {rate}") }).ok_or("no looks at all".to_string())
    };
    Method::OF_CURVE.into_iter().zip(rates).map(|(method, rate)| Suggestion { method, answer: answer(rate) }).collect()
}

fn one(combined: &[Combined], method: Method) -> &Combined {
    combined.iter().find(|one| one.method == method).unwrap()
}

#[test]
fn several_seeds_give_the_median_the_spread_and_how_many_answered() {
    let seeds = [0.01, 0.04, 0.02].map(|rate| said([None, Some(rate), Some(2.0 * rate), None, None, None, None, None]));
    let combined = combine(&seeds);
    let plateau = one(&combined, Method::Plateau);
    near(plateau.answer.as_ref().unwrap().rate, 0.02);
    assert!(plateau.answer.as_ref().unwrap().reason.contains("3 of 3 seeds"));
    assert_eq!((plateau.spread, plateau.answers, plateau.tests), (Some((0.01, 0.04)), 3, 3));
    let steepest = one(&combined, Method::Steepest);
    assert_eq!((steepest.answer.clone(), steepest.spread), (Err("no looks at all".to_string()), None));
    let (low, high) = range(&combined).unwrap();
    near(low, 0.02);
    near(high, 0.04);
}

#[test]
fn an_even_number_of_seeds_has_its_median_halfway_on_a_log_scale() {
    let seeds = [0.01, 0.04].map(|rate| said([None, Some(rate), None, None, None, None, None, None]));
    near(one(&combine(&seeds), Method::Plateau).answer.as_ref().unwrap().rate, 0.02);
    assert_eq!(range(&combine(&seeds)), None, "one method agrees with nobody");
}

#[test]
fn the_headline_is_the_turn_or_the_next_method_that_answers() {
    let first = |rates| headline(&combine(&[said(rates)]));
    let (none, some) = (None, Some);
    assert_eq!(first([some(0.1), some(0.2), none, none, none, none, none, none]), Some((Method::Turn, 0.1)));
    assert_eq!(first([none, some(0.1), some(0.2), none, none, none, none, none]), Some((Method::Plateau, 0.1)));
    assert_eq!(first([none, none, some(0.2), some(0.3), none, none, none, none]), Some((Method::Valley, 0.2)));
    assert_eq!(first([none, none, none, none, some(0.4), none, some(0.9), none]), Some((Method::Minimum, 0.4)));
    // Bounds of a cycle are no rate to train with.
    assert_eq!(first([none, none, none, none, none, some(0.1), some(0.9), some(0.2)]), None);
    assert_eq!(headline(&[]), None);
}

/// A share of `images` that are right with probability `p`; the same for the same `state`.
fn share(state: &mut u64, images: u32, p: f64) -> f64 {
    let mut right = 0_u32;
    for _ in 0..images {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        right += u32::from(((*state >> 11) as f64) < p * (1_u64 << 53) as f64);
    }
    f64::from(right) / f64::from(images)
}

/// A test of `looks` looks, whose loss never falls, with the accuracy of each.
fn seen(looks: usize, mut accuracy: impl FnMut(usize) -> f64) -> Curve {
    let at = |i: usize| {
        let rate = 10_f64.powf(-5.0 + 6.0 * i as f64 / (looks - 1) as f64);
        point(rate, 2.3, Some(accuracy(i)))
    };
    (0..looks).map(at).collect()
}

#[test]
fn guessing_is_seldom_taken_for_learning_whatever_the_number_of_images_and_looks() {
    for (images, looks, trials) in [(50, 14, 400), (50, 100, 200), (100, 31, 200), (500, 100, 60), (5000, 40, 20)] {
        // Looks of their own, and a network that answers alike for as many looks as the median is taken over.
        for alike in [1, 2 * (looks / 25).max(2) + 1] {
            let mut state = 7;
            let mut alarms = 0;
            for _ in 0..trials {
                let mut accuracy = 0.0;
                let points = seen(looks, |i| {
                    if i % alike == 0 {
                        accuracy = share(&mut state, images, 0.1);
                    }
                    accuracy
                });
                alarms +=
                    usize::from([Method::Plateau, Method::Base, Method::Max].iter().any(|m| of(&points, *m).is_ok()));
            }
            assert!(alarms * 50 <= trials, "{images} images, {looks} looks, {alike} alike: {alarms} of {trials}");
        }
    }
}

#[test]
fn a_network_that_learns_is_seen_to_through_the_noise_of_few_images() {
    for (images, looks, to) in [(50, 31, 0.6), (100, 100, 0.5), (500, 100, 0.25), (5000, 100, 0.15)] {
        for seed in 1..20 {
            let mut state = seed;
            let points = seen(looks, |i| {
                let x = i as f64 / looks as f64;
                let right =
                    0.1 + (to - 0.1) * ((x - 0.3) / 0.3).clamp(0.0, 1.0) * (1.0 - (x - 0.8) / 0.1).clamp(0.0, 1.0);
                share(&mut state, images, right)
            });
            let rate = of(&points, Method::Plateau).unwrap_or_else(|why| panic!("{images} images: {why}")).rate;
            assert!((3e-3..1.0).contains(&rate), "{images} images: {rate}");
        }
    }
}

#[test]
fn a_rise_that_chance_explains_is_told_with_what_chance_does() {
    let counts = [5, 4, 3, 5, 6, 4, 5, 8, 7, 8, 6, 8, 5, 4];
    let why = of(&seen(14, |i| f64::from(counts[i]) / 50.0), Method::Plateau).unwrap_err();
    assert!(why.contains("by chance") && why.contains("50 images") && why.contains("nothing was learned"), "{why}");
}

#[test]
fn a_loss_that_falls_by_no_more_than_its_noise_has_no_valley() {
    let mut state = 3;
    for _ in 0..50 {
        let points = seen(100, |_| 0.1);
        // A deviation of 5 % at each iteration: the lowest of a hundred is far below the first few.
        let noisy = points.iter().map(|at| point(at.rate, 4.0 * share(&mut state, 400, 0.5), None));
        let noisy: Curve = noisy.collect();
        for method in [Method::Valley, Method::Steepest, Method::Minimum] {
            assert!(of(&noisy, method).unwrap_err().contains("nothing was learned"), "{method:?}");
        }
    }
}

#[test]
fn no_rate_is_suggested_at_or_next_to_one_where_the_loss_explodes() {
    for steps in [14, 40, 100, 400] {
        for exploding in [0.3, 0.5, 0.7, 0.95] {
            let e = (steps as f64 * exploding) as usize;
            // It learns, ever better, until it explodes.
            let points: Curve = (0..steps)
                .map(|i| {
                    let x = i as f64 / e as f64;
                    let (loss, accuracy) = if i < e { (2.3 - 1.2 * x, 0.1 + 0.6 * x) } else { (1731.0, 0.1) };
                    point(10_f64.powf(-5.0 + 35.0 * i as f64 / steps as f64), loss, Some(accuracy))
                })
                .collect();
            for Suggestion { method, answer } in suggest(&points, MEASURED) {
                if let Ok(answer) = answer {
                    let (before, at) = (points[e - 1].rate, points[e].rate);
                    assert!(
                        answer.rate < before && answer.rate <= at / 2.0,
                        "{steps} {exploding} {method:?}: {answer:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn where_most_seeds_learn_nothing_the_others_suggest_nothing() {
    let learned = |rate| said([Some(rate); 8]);
    let nothing = || said([None; 8]);
    let minority = combine(&[learned(0.1), nothing(), nothing()]);
    assert_eq!(headline(&minority), None);
    let why = one(&minority, Method::Plateau).answer.clone().unwrap_err();
    assert!(why.contains("only 1 of 3 seeds") && why.contains("no looks at all"), "{why}");
    near(headline(&combine(&[learned(0.1), learned(0.1), nothing()])).unwrap().1, 0.1);
}

/// A test in which the loss falls and the accuracy rises up to the rate `turn`, and both get worse above it.
fn turning(turn: f64, momentum: Option<f64>) -> Curve {
    let at = |i: usize| {
        let rate = 1e-5 * 1e6_f64.powf(i as f64 / 299.0);
        let down = (rate / turn).ln().abs() / 8.0;
        let accuracy = (0.8 - down).max(0.1);
        RangePoint { momentum, ..point(rate, 1.0 + down, Some(accuracy)) }
    };
    (0..300).map(at).collect()
}

#[test]
fn learning_turns_in_the_middle_of_the_rates_with_the_best_loss_and_accuracy() {
    let answer = of(&turning(0.03, None), Method::Turn).unwrap();
    assert!((0.028..0.032).contains(&answer.rate), "{answer:?}");
    assert!(!answer.reason.contains("memory") && !answer.reason.contains("--max-lr"), "{answer:?}");
}

#[test]
fn the_turn_is_the_middle_of_a_flat_bottom_wherever_its_noise_is_lowest() {
    let bottom = |dip: f64| -> Curve {
        let at = |i: usize| {
            let rate = 1e-5 * 1e6_f64.powf(i as f64 / 299.0);
            let down = ((rate / 0.03_f64).ln().abs() - 2.0).max(0.0) / 4.0;
            let here = (rate / dip).ln().abs() < 0.3;
            point(rate, 1.0 + down - if here { 0.05 } else { 0.0 }, Some((0.8 - down).max(0.1)))
        };
        (0..300).map(at).collect()
    };
    for dip in [0.008, 0.03, 0.1] {
        let answer = of(&bottom(dip), Method::Turn).unwrap();
        assert!((0.027..0.034).contains(&answer.rate), "{dip}: {answer:?}");
    }
}

#[test]
fn the_turn_grows_with_the_run_from_100_to_350_updates_and_no_further_and_the_other_methods_do_not() {
    let curve = turning(0.03, None);
    let all = |updates: u64| suggest(&curve, updates);
    let turn = |updates: u64| all(updates)[0].answer.clone().unwrap();
    near(turn(252).rate / turn(MEASURED).rate, 4.0 / 3.0);
    near(turn(350).rate / turn(100).rate, 3.5);
    assert_eq!(turn(1), Answer { reason: turn(1).reason, ..turn(100) });
    assert_eq!(turn(u64::MAX), Answer { reason: turn(u64::MAX).reason, ..turn(350) });
    assert!(turn(315).reason.contains("times 1.67 for a run of 315 updates"), "{:?}", turn(315));
    assert!(turn(u64::MAX).reason.contains("a run of at least 350 updates"), "{:?}", turn(u64::MAX));
    assert_eq!(all(100)[1..], all(350)[1..]);
}

#[test]
fn momentum_sets_the_turn_back_by_the_mean_age_of_its_gradients_but_by_a_factor_of_4_at_most() {
    let plain = of(&turning(0.03, None), Method::Turn).unwrap().rate;
    let back = |momentum| plain / of(&turning(0.03, Some(momentum)), Method::Turn).unwrap().rate;
    // 0.9 / (1 − 0.9) = 9 updates, each a factor of 1e6^(1/299).
    near(back(0.9), 1e6_f64.powf(9.0 / 299.0));
    near(back(0.0), 1.0);
    near(back(0.999), 4.0);
    near(back(1.0), 4.0);
}

#[test]
fn a_test_that_explodes_while_it_still_learns_suggests_half_of_the_rate_before_and_asks_for_no_higher_rates() {
    let mut points = turning(0.03, None);
    points.truncate(points.iter().position(|point| point.rate > 0.003).unwrap());
    let before = points[points.len() - 1].rate;
    points.push(point(before * 1.05, f64::NAN, None));
    let combined = combine(&[suggest(&points, MEASURED)]);
    let (method, rate) = headline(&combined).unwrap();
    assert_eq!(method, Method::Turn);
    near(rate, before / 2.0);
    let reason = &one(&combined, Method::Turn).answer.as_ref().unwrap().reason;
    assert!(reason.contains("explodes") && !reason.contains("--max-lr"), "{reason}");
}

#[test]
fn a_test_that_ends_while_it_still_learns_suggests_its_last_rates_and_says_that_higher_ones_may_be_better() {
    let mut points = turning(0.03, None);
    points.truncate(points.iter().position(|point| point.rate > 0.003).unwrap());
    let answer = of(&points, Method::Turn).unwrap();
    assert!(answer.rate > 0.0015 && answer.reason.contains("a higher --max-lr"), "{answer:?}");
}

#[test]
fn a_loss_that_falls_by_a_few_per_cent_at_an_accuracy_of_chance_suggests_nothing_by_any_method() {
    let fall = |share: f64| -> Curve {
        let at = |i: usize| {
            let rate = 1e-7 * 1e3_f64.powf(i as f64 / 99.0);
            point(rate, 2.5 * (1.0 - share * i as f64 / 99.0), Some(0.1))
        };
        (0..100).map(at).collect()
    };
    for Suggestion { method, answer } in suggest(&fall(0.06), MEASURED) {
        assert!(answer.unwrap_err().contains("nothing was learned"), "{method:?}");
    }
    // A clear fall is learning, whatever few validation images say.
    assert!(of(&fall(0.4), Method::Turn).is_ok());
}

#[test]
fn one_cycle_peaks_at_twice_the_suggested_rate_but_keeps_its_distance_from_an_explosion() {
    let explodes_at = |rate: f64| {
        let row = |(iteration, at): (u64, &RangePoint)| {
            let loss = if at.rate < rate { at.loss } else { f64::NAN };
            let (learning_rate, val_accuracy) = (at.rate, at.accuracy);
            RangeRow { iteration, learning_rate, momentum: None, loss, smoothed_loss: loss, val_accuracy }
        };
        let rows: Vec<RangeRow> = (0..).zip(&turning(0.03, None)).map(row).collect();
        RangeTests { tests: vec![(String::new(), rows)], ..RangeTests::default() }
    };
    near(explodes_at(f64::INFINITY).peak(0.03), 0.06);
    near(explodes_at(1.0).peak(0.03), 0.06);
    let peak = explodes_at(0.1).peak(0.03);
    assert!((0.05..0.0525).contains(&peak), "{peak}: half of the first rate from 0.1 on");
    near(explodes_at(0.04).peak(0.03), 0.03);
}
