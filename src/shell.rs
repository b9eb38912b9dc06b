//! Quoting for POSIX shells.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::path::Path;

/// Quotes one word. Bytes that are not UTF-8 become `$'\377'`: POSIX 2024, and older in bash, zsh and ksh.
pub fn quoted(word: impl AsRef<OsStr>) -> String {
    let word = word.as_ref();
    let Some(text) = word.to_str() else {
        let escaped = |byte: &u8| match byte {
            b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
            b' '..=b'~' => char::from(*byte).to_string(),
            _ => format!("\\{byte:03o}"),
        };
        return format!("$'{}'", word.as_encoded_bytes().iter().map(escaped).collect::<String>());
    };
    let plain = |c: char| c.is_alphanumeric() || "/._-=:,+@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_string()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Quotes a path as an argument. A leading `-` gets a `./` prefix so that it is not parsed as a flag.
pub fn path(path: &Path) -> String {
    if path.as_os_str().as_encoded_bytes().starts_with(b"-") { quoted(Path::new(".").join(path)) } else { quoted(path) }
}

/// Quotes a command line. The program is reduced to its file name, since its path means nothing on other machines.
pub fn line<Word: AsRef<OsStr>>(arguments: &[Word]) -> String {
    let name = |program: &OsStr| Path::new(program).file_name().map_or_else(|| program.to_owned(), OsStr::to_owned);
    let first = arguments.first().map(|program| quoted(name(program.as_ref())));
    first.into_iter().chain(arguments.iter().skip(1).map(quoted)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        assert_eq!(quoted("results/sgd-step-lr0.1"), "results/sgd-step-lr0.1");
        assert_eq!(quoted("my runs/it's"), r"'my runs/it'\''s'");
        assert_eq!(quoted("halve:when=val_loss<=0.9"), "'halve:when=val_loss<=0.9'");
        assert_eq!(quoted(""), "''");
        #[cfg(unix)]
        {
            let word: &OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"a b'\\\xff\n");
            assert_eq!(quoted(word), r"$'a b\'\\\377\012'");
        }
    }

    #[test]
    fn a_path_is_never_taken_for_a_flag() {
        assert_eq!([path(Path::new("-x")), path(Path::new("a-x"))], ["./-x", "a-x"]);
    }

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let words = ["/usr/bin/lrsched", "train", "--schedule", "halve:when=epoch>=30", "it's", ""].map(String::from);
        assert_eq!(line(&words), r"lrsched train --schedule 'halve:when=epoch>=30' 'it'\''s' ''");
    }
}
