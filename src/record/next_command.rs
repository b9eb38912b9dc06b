//! A command to paste, as find.json has it.

use serde::{Deserialize, Serialize};

/// A command line, and what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct NextCommand {
    /// Empty if the file that it was read from does not say.
    pub purpose: String,
    pub line: String,
}

/// Earlier versions wrote the line alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Line(String),
    Whole { purpose: String, line: String },
}

impl From<Written> for NextCommand {
    fn from(written: Written) -> Self {
        match written {
            Written::Line(line) => Self { purpose: String::new(), line },
            Written::Whole { purpose, line } => Self { purpose, line },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_read_as_it_is_written_and_as_earlier_versions_wrote_it() {
        let command = NextCommand { purpose: "train".to_string(), line: "lrsched train".to_string() };
        assert_eq!(serde_json::from_value::<NextCommand>(serde_json::to_value(&command).unwrap()).unwrap(), command);
        let earlier: NextCommand = serde_json::from_str("\"lrsched train\"").unwrap();
        assert_eq!(earlier, NextCommand { purpose: String::new(), ..command });
    }
}
