//! Files on disk, with the care that other people's files need: reading is bounded and waits for nobody, and what this program owns is
//! opened without following links and noticed when somebody moves or deletes it.

#![forbid(unsafe_code)]

mod own;
mod read;
mod watch;

pub use own::{
    OURS, OpenFolder, TEMPORARY, check_in_place, is_at, make_folders, make_own_folder, open_own, own_folder, place,
    read_own, remove_empty,
};
pub use read::{MOST_ARRAYS, MOST_CONFIG, MOST_RECORD, MOST_ROWS, open, read, read_text};
pub use watch::Watch;
