//! Safe file access: reads are bounded and never block, and files that this program owns are opened without following
//! symbolic links and watched for being moved or deleted.

#![forbid(unsafe_code)]

mod own;
mod read;
mod watch;

pub use own::{
    OURS, OpenFolder, TEMPORARY, check_in_place, is_at, make_folders, make_own_folder, no_folder, open_own, own_folder,
    place, read_own, remove_empty,
};
pub use read::{MOST_ARRAYS, MOST_CONFIG, MOST_RECORD, MOST_ROWS, open, read, read_stdin, read_text};
pub use watch::Watch;
