//! The text form that schedules and optimizers share, `name:key=value,key=value`, and the typed parameters behind it.

mod choice;
mod family;
mod grammar;
mod parameter;
mod schedule;
mod value;

pub(crate) use choice::words;
pub use family::{Family, Values, read_switch};
pub use grammar::{check_length, fields};
pub use parameter::{Bounds, Entry, Parameter, ParameterKind};
pub(crate) use schedule::{FAMILY, Part};
pub use schedule::{Spec, universal};
pub use value::{Condition, ParameterValue, RateValue, Relation, Watched};
pub(crate) use value::{rate_of, shortest};
