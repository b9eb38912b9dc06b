//! The parts of docs/RESULTS.md that are computed: each between `<!-- computed: NAME -->` and `<!-- end -->`.

use super::root;
use std::sync::{Mutex, PoisonError};

/// The tests run side by side, and each may write its part.
static PAGE: Mutex<()> = Mutex::new(());

/// The part `name` of the page says `text`, or is made to.
pub fn check(name: &str, text: &str) {
    let _held = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = root().join("docs/RESULTS.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let start = format!("<!-- computed: {name} -->\n\n");
    let (before, rest) = page.split_once(&start).unwrap_or_else(|| panic!("docs/RESULTS.md has no part {name:?}"));
    let (said, after) = rest.split_once("\n<!-- end -->").unwrap();
    assert!(!said.contains("<!--"), "docs/RESULTS.md, {name}: the part has no end of its own");
    if std::env::var_os("LRSCHED_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{start}{text}\n<!-- end -->{after}")).unwrap();
    } else {
        assert!(
            said == text,
            "docs/RESULTS.md, {name}: write it anew with LRSCHED_WRITE_DOCS=1; it should be:\n{text}"
        );
    }
}
