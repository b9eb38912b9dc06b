//! The numbers of a comparison of stages: how many runs it has, and with which seeds.

use crate::config::Tuning;
use crate::config::grid::{MOST_RUNS, rule};
use crate::number::{counted, grouped};
use crate::record::{ComparisonRow, Role, Stage};
use crate::stats::tuning::{LOOKED_AT_AGAIN, SCREENING, SECOND_LOOKS};
use crate::usage;
use crate::usage::Usage;
use std::ops::Range;

/// The seeds of tunings are so far above those of finals: seeds that tune never judge.
const TUNING: u64 = 1_000_000;

/// How many studies, trials and seeds there are. A *unit* is a study, or a seed where nothing is tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Design {
    /// The first seed.
    seed: u64,
    /// Trials of an entrant in a study; `None` if nothing is tuned.
    pub trials: Option<u64>,
    /// The units that are judged.
    judged: u64,
    /// Final runs in a unit.
    seeds: u64,
    /// How many entrants are judged; `None`: all, without a screening.
    pub finalists: Option<usize>,
}

/// What the part of a run tells of the comparison that it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    tuned: bool,
    screened: bool,
    /// The first seed, as a trial tells it.
    seed: Option<u64>,
}

impl Made {
    /// `seed`: that of the run.
    pub fn of(role: &Role, seed: u64) -> Self {
        let Role { stage, study, finalists, .. } = *role;
        let of_trial = study.filter(|_| stage == Stage::Trial);
        let above = of_trial.map(|study| study.saturating_mul(1 + SECOND_LOOKS).saturating_add(TUNING));
        let seed = above.and_then(|above| seed.checked_sub(above));
        Self { tuned: study.is_some(), screened: finalists.is_some(), seed }
    }

    /// What both tell; `None` if they were made for different comparisons.
    pub fn with(self, other: Self) -> Option<Self> {
        let Self { tuned, screened, seed } = other;
        let is_other_seed = self.seed.zip(seed).is_some_and(|(one, other)| one != other);
        let fits = (self.tuned, self.screened) == (tuned, screened) && !is_other_seed;
        fits.then_some(Self { seed: self.seed.or(seed), ..self })
    }
}

/// How a run that is there already does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StageMismatch {
    #[error("runs that are not tuned or screened")]
    Plain,
    #[error("a comparison that is tuned or screened")]
    Staged,
    #[error("runs that are not tuned")]
    Untuned,
    #[error("runs that are tuned")]
    Tuned,
    #[error(
        "trial {trial} of {entrant}, counted from 0, beyond the {trials} asked for: a tuning goes on with more, not fewer"
    )]
    FewerTrials { entrant: String, trial: u64, trials: u64 },
    #[error(
        "study {study} of {entrant}, counted from 0, beyond the {studies} asked for: a tuning goes on with more, not fewer"
    )]
    FewerStudies { entrant: String, study: u64, studies: u64 },
    #[error(
        "a screening for {before} finalists, more than the {finalists} asked for: a comparison goes on with more, not fewer"
    )]
    FewerFinalists { before: u64, finalists: u64 },
    /// Another range, or another seed of the tuning.
    #[error("trial {trial} of {entrant} in study {study} at another point of the range")]
    OtherPoints { entrant: String, study: u64, trial: u64 },
    #[error("a {stage} of {entrant} with seed {seed}, which this comparison does not have")]
    OtherSeeds { entrant: String, stage: Stage, seed: u64 },
}

impl StageMismatch {
    /// # Errors
    /// There were more finalists.
    pub(in crate::experiment) fn check_finalists(before: Option<u64>, now: Option<u64>) -> Result<(), Self> {
        match (before, now) {
            (Some(before), Some(finalists)) if finalists < before => Err(Self::FewerFinalists { before, finalists }),
            _ => Ok(()),
        }
    }
}

impl Design {
    pub fn new(seed: u64, tuning: Option<&Tuning>, finalists: Option<usize>, seeds: u64) -> Self {
        match tuning {
            Some(tuning) => Self { seed, trials: Some(tuning.trials), judged: tuning.studies, seeds, finalists },
            // Each seed is a unit of its own.
            None => Self { seed, trials: None, judged: seeds, seeds: 1, finalists },
        }
    }

    /// The units of the screening.
    pub const fn screening(&self) -> u64 {
        if self.finalists.is_some() { SCREENING } else { 0 }
    }

    /// All units of an entrant that is judged.
    pub const fn units(&self) -> u64 {
        self.screening().saturating_add(self.judged)
    }

    /// Whether this unit is one of the screening.
    pub const fn is_before_finals(&self, unit: u64) -> bool {
        unit < self.screening()
    }

    /// Whether this unit is for finalists only.
    pub const fn is_after_screening(&self, unit: u64) -> bool {
        self.finalists.is_some() && unit >= SCREENING
    }

    /// The seeds of the runs that decide: one in a unit of the screening.
    pub const fn judged_seeds(&self, unit: u64) -> Range<u64> {
        let first = self.seed
            + if unit < self.screening() { unit } else { self.screening() + (unit - self.screening()) * self.seeds };
        first..first + if unit < self.screening() { 1 } else { self.seeds }
    }

    /// The seed of the trials of a study.
    pub const fn trial_seed(&self, study: u64) -> u64 {
        self.seed + TUNING + study * (1 + SECOND_LOOKS)
    }

    /// Those of its second looks.
    pub const fn second_seeds(&self, study: u64) -> Range<u64> {
        let first = self.trial_seed(study) + 1;
        first..first + SECOND_LOOKS
    }

    /// Up to the last of its seeds.
    pub const fn seeds_in_all(&self) -> u64 {
        let units = self.units();
        let tuned =
            if self.trials.is_some() { TUNING.saturating_add(units.saturating_mul(1 + SECOND_LOOKS)) } else { 0 };
        let judged = units.saturating_mul(self.seeds).saturating_add(SCREENING);
        if tuned > judged { tuned } else { judged }
    }

    /// The runs of an entrant in a unit.
    pub fn chain_length(&self, unit: u64) -> usize {
        self.trials_in_unit().saturating_add(self.looks_in_unit()).saturating_add(self.judged_runs(unit))
    }

    fn trials_in_unit(&self) -> usize {
        usize::try_from(self.trials.unwrap_or(0)).unwrap_or(usize::MAX)
    }

    /// The second looks of an entrant; none at a single trial.
    fn looks_in_unit(&self) -> usize {
        match self.trials_in_unit() {
            0 | 1 => 0,
            trials => SECOND_LOOKS as usize * trials.min(LOOKED_AT_AGAIN),
        }
    }

    /// Those of them that decide.
    pub fn judged_runs(&self, unit: u64) -> usize {
        let judged = if self.is_before_finals(unit) { 1 } else { self.seeds };
        usize::try_from(judged).unwrap_or(usize::MAX)
    }

    /// The runs of some entrants in all units of the screening, and of some in all others.
    fn runs(&self, screened: usize, judged: usize) -> usize {
        let of = |unit: u64, units: u64, entrants: usize| {
            self.chain_length(unit)
                .saturating_mul(usize::try_from(units).unwrap_or(usize::MAX))
                .saturating_mul(entrants)
        };
        of(0, self.screening(), screened).saturating_add(of(self.screening(), self.judged, judged))
    }

    /// The runs of a comparison of so many entrants.
    pub fn total(&self, entrants: usize) -> usize {
        self.runs(entrants, self.finalists.unwrap_or(entrants))
    }

    /// # Errors
    /// More runs than a comparison may have.
    pub fn check_count(&self, entrants: usize) -> Result<(), Usage> {
        let total = self.total(entrants) as u64;
        if total <= MOST_RUNS {
            return Ok(());
        }
        let each = match self.trials {
            Some(trials) => {
                let studies = if self.units() == 1 { "study" } else { "studies" };
                format!("{} in {} {studies}", counted(trials, "trial"), grouped(self.units()))
            }
            None => counted(self.units(), "seed"),
        };
        let entrants = counted(entrants as u64, "entrant");
        let total = if total == u64::MAX { "too many".to_string() } else { grouped(total) };
        usage!("{entrants} with {each} are {total} runs; {}", rule())
    }

    /// How many runs are trained before the first one of this stage and unit of the entrant at this place, the finalist of this
    /// rank: those of earlier units, and in the unit, stage by stage, those of the entrants before it.
    pub fn runs_before(&self, entrants: usize, place: usize, rank: usize, unit: u64, stage: Stage) -> usize {
        let screening = self.screening();
        let finalists = self.finalists.unwrap_or(entrants);
        let (units, of, place) = match unit.checked_sub(screening) {
            Some(unit) => {
                (self.runs(entrants, 0) + self.chain_length(screening) * finalists * unit as usize, finalists, rank)
            }
            None => (self.chain_length(0) * entrants * unit as usize, entrants, place),
        };
        let [trials, looks] = [self.trials_in_unit(), self.looks_in_unit()];
        units
            + match stage {
                Stage::Trial => place * trials,
                Stage::SecondLook => of * trials + place * looks,
                Stage::Screening | Stage::Final => of * (trials + looks) + place * self.judged_runs(unit),
            }
    }

    /// The chain of this unit of the entrant at this place, the finalist of this rank. More units are further chains: a shard
    /// keeps those it has, and has its part of the finals, whoever is a finalist.
    pub fn chain(&self, entrants: usize, place: usize, rank: usize, unit: u64) -> usize {
        match unit.checked_sub(self.screening()) {
            Some(unit) => {
                self.screening() as usize * entrants + unit as usize * self.finalists.unwrap_or(entrants) + rank
            }
            None => unit as usize * entrants + place,
        }
    }

    /// Whether a run that is not planned, at least not yet, may be there. `is_planned`: its entrant is one of the plan.
    ///
    /// # Errors
    /// It was made with other settings.
    pub fn check(&self, row: &ComparisonRow, is_planned: bool) -> Result<(), StageMismatch> {
        let Some(role) = &row.role else { return Err(StageMismatch::Plain) };
        StageMismatch::check_finalists(role.finalists, self.finalists.map(|finalists| finalists as u64))?;
        let Role { entrant, stage, study, trial, .. } = role.clone();
        let seed = row.seed;
        let (Some(trials), Some(study)) = (self.trials, study) else {
            if self.trials.is_some() || study.is_some() {
                return Err(if study.is_some() { StageMismatch::Tuned } else { StageMismatch::Untuned });
            }
            let is_ours = (0..self.units()).any(|unit| {
                self.is_before_finals(unit) == (stage == Stage::Screening) && self.judged_seeds(unit).contains(&seed)
            });
            return if is_ours { Ok(()) } else { Err(StageMismatch::OtherSeeds { entrant, stage, seed }) };
        };
        let trial = trial.unwrap_or(0);
        if study >= self.units() {
            return Err(StageMismatch::FewerStudies { entrant, study, studies: self.units() });
        }
        if trial >= trials {
            return Err(StageMismatch::FewerTrials { entrant, trial, trials });
        }
        let has_seed = match stage {
            Stage::Trial => seed == self.trial_seed(study),
            Stage::SecondLook => self.second_seeds(study).contains(&seed),
            Stage::Screening => self.is_before_finals(study) && self.judged_seeds(study).contains(&seed),
            Stage::Final => !self.is_before_finals(study) && self.judged_seeds(study).contains(&seed),
        };
        if !has_seed {
            return Err(StageMismatch::OtherSeeds { entrant, stage, seed });
        }
        if stage == Stage::Trial && is_planned && !self.is_after_screening(study) {
            return Err(StageMismatch::OtherPoints { entrant, study, trial });
        }
        Ok(())
    }
}
