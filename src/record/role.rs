//! What a run is for, in a comparison that tunes its entrants or screens them first.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// What a run is for. In run.json an object, in comparison.csv five columns that are empty for a run without a role.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Role {
    /// The entrant before it was tuned: `sgd:momentum=0.9/cosine`, without a rate.
    pub entrant: String,
    pub stage: Stage,
    /// The repetition of the tuning that it belongs to, from 0; `None` where nothing is tuned.
    pub study: Option<u64>,
    /// Which point of the range it was trained at, from 0; of a final, the chosen one.
    pub trial: Option<u64>,
    /// How many entrants were to be finalists when it was planned; `None` without a screening.
    #[serde(default)]
    pub finalists: Option<u64>,
}

/// The stages of a tuned or screened comparison. Only finals are results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// One of the points of the range.
    Trial,
    /// One of the best trials again, with another seed.
    SecondLook,
    /// Decides who is a finalist.
    Screening,
    /// Judged. Its seed was used for nothing else.
    Final,
}

impl Role {
    /// Whether a run with this role, or with none, is a result. One that only helps to choose must not see the test images,
    /// and nobody needs its weights.
    pub fn is_result(role: Option<&Self>) -> bool {
        role.is_none_or(|role| role.stage == Stage::Final)
    }

    /// Whether it is the same part of a comparison, which may have more finalists by now.
    pub fn is_same_part(&self, other: &Self) -> bool {
        let Self { entrant, stage, study, trial, finalists: _ } = self;
        (entrant, stage, study, trial) == (&other.entrant, &other.stage, &other.study, &other.trial)
    }
}

/// `second look at trial 4 of study 1`; numbers are those of comparison.csv.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.stage)?;
        match (self.stage, self.trial) {
            (Stage::Trial, Some(trial)) => write!(f, " {trial}")?,
            (Stage::SecondLook, Some(trial)) => write!(f, " at trial {trial}")?,
            // Which trial was chosen is known by its rate.
            _ => {}
        }
        self.study.map_or(Ok(()), |study| write!(f, " of study {study}"))
    }
}

impl Stage {
    /// As files have it.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::SecondLook => "second-look",
            Self::Screening => "screening",
            Self::Final => "final",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Trial => "trial",
            Self::SecondLook => "second look",
            Self::Screening => "screening",
            Self::Final => "final",
        })
    }
}

/// The columns of comparison.csv that hold a role.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct RoleCells {
    entrant: Option<String>,
    stage: Option<Stage>,
    study: Option<u64>,
    trial: Option<u64>,
    finalists: Option<u64>,
}

impl RoleCells {
    pub const NAMES: [&'static str; 5] = ["entrant", "stage", "study", "trial", "finalists"];

    pub fn serialize<S: Serializer>(role: &Option<Role>, serializer: S) -> Result<S::Ok, S::Error> {
        let cells = role.as_ref().map_or_else(Self::default, |role| {
            let Role { entrant, stage, study, trial, finalists } = role.clone();
            Self { entrant: Some(entrant), stage: Some(stage), study, trial, finalists }
        });
        Serialize::serialize(&cells, serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Role>, D::Error> {
        let Self { entrant, stage, study, trial, finalists } = Deserialize::deserialize(deserializer)?;
        match (entrant, stage) {
            (Some(entrant), Some(stage)) => Ok(Some(Role { entrant, stage, study, trial, finalists })),
            (None, None) if study.is_none() && trial.is_none() && finalists.is_none() => Ok(None),
            _ => Err(D::Error::custom("a role has an entrant and a stage")),
        }
    }
}
