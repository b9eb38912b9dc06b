//! Which runs are compared with each other.

use super::screened::screened;
use super::*;

#[test]
fn the_order_of_folders_changes_nothing_and_tuned_entrants_are_a_group_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    comparison(&folder.path().join("tuned"), &three_studies());
    comparison(&folder.path().join("plain"), &[row("a", "cosine", 0, 0.9)]);
    let of = |names: [&str; 2]| {
        let loaded = load(&names.map(|name| folder.path().join(name)));
        let groups = analyse(&loaded.entrants(), &loaded.metrics(), &Asked::default()).unwrap();
        (groups.iter().map(|group| group.label.to_string()).collect::<Vec<_>>(), ranking(&groups))
    };
    let first = of(["tuned", "plain"]);
    assert_eq!(first.0, ["tuned=yes", "tuned=no"]);
    assert_eq!(of(["plain", "tuned"]), first);
}

/// The labels of the groups of these comparisons, each in a folder of its own.
fn groups_of(comparisons: &[Vec<ComparisonRow>]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let place = |number: usize| folder.path().join(number.to_string());
    comparisons.iter().enumerate().for_each(|(number, rows)| comparison(&place(number), rows));
    let of = |places: Vec<PathBuf>| {
        let loaded = load(&places);
        let groups = analyse(&loaded.entrants(), &loaded.metrics(), &Asked::default()).unwrap();
        let named = |group: &Group<'_>| {
            group.analyses.iter().all(|one| ["sgd/cosine", "sgd/step", "sgd/linear", "sgd/time"].contains(&&*one.short))
        };
        assert!(groups.iter().all(named), "within a group the comparison need not be named");
        groups.iter().map(|group| group.label.to_string()).collect::<Vec<_>>()
    };
    let forth = of((0..comparisons.len()).map(place).collect());
    assert_eq!(of((0..comparisons.len()).rev().map(place).collect()), forth, "the order of folders changes nothing");
    forth
}

#[test]
fn two_tunings_of_the_same_entrants_are_groups_and_the_shards_of_one_are_not() {
    let later = |row: &ComparisonRow| ComparisonRow { seed: row.seed + 100, ..row.clone() };
    let other = three_studies().iter().map(later).collect();
    assert_eq!(groups_of(&[three_studies(), other]), ["comparison=0", "comparison=1"]);
    // The same seeds at other points.
    let elsewhere = |row: &ComparisonRow| ComparisonRow { lr: row.lr * 2.0, ..row.clone() };
    let other = three_studies().iter().map(elsewhere).collect();
    assert_eq!(groups_of(&[three_studies(), other]).len(), 2);
    let (some, others) = three_studies()
        .into_iter()
        .partition(|row| row.schedule == "step" && row.role.as_ref().unwrap().study == Some(1));
    assert_eq!(groups_of(&[some, others]), [""]);
}

#[test]
fn a_seed_that_screens_in_one_comparison_and_judges_in_another_sets_them_apart() {
    let later = |row: &ComparisonRow| ComparisonRow { seed: row.seed + 2, ..row.clone() };
    let other = screened().iter().map(later).collect();
    assert_eq!(groups_of(&[screened(), other]), ["comparison=0", "comparison=1"]);
    let (some, others) = screened().into_iter().partition(|row| row.schedule == "step");
    assert_eq!(groups_of(&[some, others]), [""]);
}
