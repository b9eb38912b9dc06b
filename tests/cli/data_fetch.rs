//! The download, against an HTTP server that each test starts on loopback.

use flate2::{Compression, write::GzEncoder};
use lrsched::data::cifar::{CIFAR10, Layout};
use lrsched::data::fetch::{Archive, DownloadProgress, PART, fetch};
use lrsched::data::unpack_files;
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

/// How the server answers one request.
#[derive(Clone, Copy)]
enum Reply {
    /// Serves the archive from the requested byte.
    Obey,
    /// As `Obey`, but drops the connection after this many bytes of the body.
    Cut(usize),
    /// Serves the archive from the start, ignoring the range.
    IgnoreRange,
    Status(u16),
    /// Serves and announces only this many bytes.
    Short(usize),
}

/// Answers requests in order, repeating the last reply; records the Range header of each request.
struct Server {
    url: String,
    ranges: Arc<Mutex<Vec<Option<usize>>>>,
}

impl Server {
    fn start(archive: Vec<u8>, replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/cifar-10-binary.tar.gz", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let (noted, replies) = (Arc::clone(&ranges), replies.to_vec());
        std::thread::spawn(move || {
            for (request, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let range = read_request(&stream);
                noted.lock().unwrap().push(range);
                // The client may hang up early, which is not the server's concern.
                let _ = answer(&mut stream, &archive, range, replies[request.min(replies.len() - 1)]);
            }
        });
        Self { url, ranges }
    }

    fn ranges(&self) -> Vec<Option<usize>> {
        self.ranges.lock().unwrap().clone()
    }
}

fn read_request(stream: &TcpStream) -> Option<usize> {
    let lines = BufReader::new(stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
    lines.fold(None, |range, line| {
        let line = line.to_ascii_lowercase();
        let from = line.strip_prefix("range: bytes=").map(|range| range.trim_end_matches('-').parse().unwrap());
        range.or(from)
    })
}

fn answer(stream: &mut TcpStream, archive: &[u8], range: Option<usize>, reply: Reply) -> std::io::Result<()> {
    let head =
        |status: &str, length: usize| format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n");
    let body = &archive[range.unwrap_or(0)..];
    let partial = match range {
        None => head("200 OK", archive.len()),
        Some(from) => {
            let last = archive.len() - 1;
            format!(
                "{}Content-Range: bytes {from}-{last}/{}\r\n",
                head("206 Partial Content", body.len()),
                archive.len()
            )
        }
    };
    let (head, body) = match reply {
        Reply::Obey => (partial, body),
        Reply::Cut(at) => (partial, &body[..at]),
        Reply::IgnoreRange => (head("200 OK", archive.len()), archive),
        Reply::Status(status) => (head(&format!("{status} No"), 0), &archive[..0]),
        Reply::Short(bytes) => (head("200 OK", bytes), &archive[..bytes]),
    };
    stream.write_all(head.as_bytes())?;
    stream.write_all(b"\r\n")?;
    stream.write_all(body)
}

/// A valid archive. File k of the six is filled with the byte k, labels included.
fn good() -> Vec<u8> {
    static ARCHIVE: OnceLock<Vec<u8>> = OnceLock::new();
    let build = || {
        archive(|tar| {
            add(tar, "cifar-10-batches-bin/readme.html", b"<html>");
            add(tar, "cifar-10-batches-bin/batches.meta.txt", b"airplane\n");
            for (place, name) in CIFAR10.files(Layout::Binary).enumerate() {
                add(tar, &format!("cifar-10-batches-bin/{name}"), &content(place));
            }
        })
    };
    ARCHIVE.get_or_init(build).clone()
}

fn content(place: usize) -> Vec<u8> {
    vec![place as u8; CIFAR10.file_bytes(0) as usize]
}

type Tar = tar::Builder<GzEncoder<Vec<u8>>>;

fn archive(fill: impl Fn(&mut Tar)) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    fill(&mut tar);
    tar.into_inner().unwrap().finish().unwrap()
}

/// Writes the name into the header verbatim: the tar crate itself refuses hostile ones.
fn add(tar: &mut Tar, name: &str, content: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append(&header, content).unwrap();
}

fn described(bytes: &[u8], urls: &[&str]) -> Archive {
    let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Archive { urls: urls.iter().map(|url| url.to_string()).collect(), bytes: bytes.len() as u64, sha256 }
}

/// Fetches the good archive, or returns the one-line error.
fn fetch_good(folder: &Path, urls: &[&str]) -> Result<(), String> {
    fetch(&described(&good(), urls), folder, &mut |_| {}).map_err(|error| format!("{error:#}"))
}

/// Fetches an archive that matches its description: any fault is inside.
fn fetch_wrong(folder: &Path, bytes: Vec<u8>) -> String {
    let described = described(&bytes, &[]);
    let server = Server::start(bytes, &[Reply::Obey]);
    let described = Archive { urls: vec![server.url.clone()], ..described };
    format!("{:#}", fetch(&described, folder, &mut |_| {}).unwrap_err())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn assert_whole(folder: &Path) {
    assert_eq!(names(folder), CIFAR10.files(Layout::Binary).collect::<Vec<_>>());
    for (place, name) in CIFAR10.files(Layout::Binary).enumerate() {
        assert!(std::fs::read(folder.join(name)).unwrap() == content(place), "{name} differs");
    }
}

#[test]
fn a_whole_download_leaves_the_six_files_and_nothing_else_and_reports_its_progress() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made/by/fetch");
    let server = Server::start(good(), &[Reply::Obey]);
    let mut steps = Vec::new();
    fetch(&described(&good(), &[&server.url]), &folder, &mut |progress| match progress {
        DownloadProgress::Downloading { done, total, .. } => steps.push((done, total)),
        DownloadProgress::Failed { reason, .. } => panic!("{reason}"),
        DownloadProgress::Verifying | DownloadProgress::Unpacking => {}
    })
    .unwrap();
    let total = good().len() as u64;
    assert_eq!((steps[0], *steps.last().unwrap()), ((0, total), (total, total)));
    assert!(steps.is_sorted());
    assert_eq!(server.ranges(), [None]);
    assert_whole(&folder);
}

#[test]
fn a_download_cut_by_the_server_goes_on_where_it_was_cut() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(good(), &[Reply::Cut(1000), Reply::Cut(500), Reply::Obey]);
    fetch_good(folder.path(), &[&server.url]).unwrap();
    assert_eq!(server.ranges(), [None, Some(1000), Some(1500)]);
    assert_whole(folder.path());
}

#[test]
fn a_download_cut_for_good_is_kept_and_gone_on_with_by_the_next_command() {
    let folder = tempfile::tempdir().unwrap();
    let dead = Server::start(good(), &[Reply::Cut(1000), Reply::Cut(0)]);
    let error = fetch_good(folder.path(), &[&dead.url]).unwrap_err();
    assert!(error.contains(&dead.url) && error.contains("broke off") && error.contains("--mirror"), "{error}");
    assert_eq!(names(folder.path()), [PART]);
    assert_eq!(std::fs::read(folder.path().join(PART)).unwrap(), good()[..1000]);

    let alive = Server::start(good(), &[Reply::Obey]);
    fetch_good(folder.path(), &[&alive.url]).unwrap();
    assert_eq!(alive.ranges(), [Some(1000)]);
    assert_whole(folder.path());
}

#[test]
fn a_server_that_ignores_range_or_refuses_it_is_asked_for_the_whole() {
    for replies in [vec![Reply::IgnoreRange], vec![Reply::Status(416), Reply::Obey]] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(PART), &good()[..777]).unwrap();
        let server = Server::start(good(), &replies);
        fetch_good(folder.path(), &[&server.url]).unwrap();
        assert_eq!(server.ranges()[0], Some(777));
        assert_whole(folder.path());
    }
}

#[test]
fn a_part_of_something_else_is_noticed_by_the_digest_and_fetched_anew() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(PART), vec![7; 2000]).unwrap();
    let server = Server::start(good(), &[Reply::Obey]);
    fetch_good(folder.path(), &[&server.url]).unwrap();
    assert_eq!(server.ranges(), [Some(2000), None]);
    assert_whole(folder.path());
}

#[test]
fn a_wrong_digest_is_refused_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut other = good();
    *other.last_mut().unwrap() ^= 1;
    let server = Server::start(other, &[Reply::Obey]);
    let error = fetch_good(folder.path(), &[&server.url]).unwrap_err();
    assert!(error.contains("has SHA-256") && error.contains("expected"), "{error}");
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_fetch_that_gets_nothing_leaves_nothing_behind_and_keeps_what_was_there() {
    let outer = tempfile::tempdir().unwrap();
    fetch_good(&outer.path().join("made/by/fetch"), &["file:///no/such/file"]).unwrap_err();
    assert_eq!(names(outer.path()), [""; 0]);
    std::fs::write(outer.path().join(PART), "begun").unwrap();
    std::fs::create_dir(outer.path().join(".unpacking")).unwrap();
    fetch_good(outer.path(), &["file:///no/such/file"]).unwrap_err();
    assert_eq!(names(outer.path()), [".unpacking", PART]);
    assert_eq!(std::fs::read(outer.path().join(PART)).unwrap(), b"begun");
}

#[cfg(unix)]
#[test]
fn a_download_is_never_written_through_a_link() {
    let outer = tempfile::tempdir().unwrap();
    std::fs::write(outer.path().join("thesis"), "mine").unwrap();
    std::os::unix::fs::symlink(outer.path().join("thesis"), outer.path().join(PART)).unwrap();
    let error = fetch_good(outer.path(), &["file:///no/such/file"]).unwrap_err();
    assert!(error.contains(PART) && error.contains("symbolic link"), "{error}");
    assert_eq!(std::fs::read(outer.path().join("thesis")).unwrap(), b"mine");
    assert!(outer.path().join(PART).is_symlink());
}

#[test]
fn mirrors_are_tried_in_turn_and_a_file_url_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("a copy.tar.gz");
    std::fs::write(&copy, good()).unwrap();
    let gone = Server::start(good(), &[Reply::Status(404)]);
    let short = Server::start(good(), &[Reply::Short(1234)]);
    let file = format!("file://{}", copy.display()).replace(' ', "%20");
    let mut failures = Vec::new();
    fetch(&described(&good(), &[&gone.url, &short.url, &file]), folder.path(), &mut |progress| {
        if let DownloadProgress::Failed { reason, .. } = progress {
            failures.push(reason.to_string());
        }
    })
    .unwrap();
    assert_eq!(failures.len(), 2);
    assert_eq!(failures[0], "answered 404");
    assert!(failures[1].starts_with("is 1,234 bytes, expected "), "{}", failures[1]);
    assert_whole(folder.path());
}

#[test]
fn without_a_network_the_message_says_what_can_be_done() {
    let folder = tempfile::tempdir().unwrap();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = fetch_good(folder.path(), &[&format!("http://{unused}/x"), "file:///no/such/file"]).unwrap_err();
    for part in ["is there a network?", "No such file", "--mirror file:///", "--dataset synthetic"] {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

#[test]
fn a_truncated_archive_is_an_error_and_nothing_half_written_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let error = fetch_wrong(folder.path(), good()[..good().len() / 2].to_vec());
    assert!(error.contains("unpack") || error.contains("ends early"), "{error}");
    assert_eq!(names(folder.path()), [PART]);
}

#[test]
fn hostile_paths_and_links_are_refused_and_nothing_is_written_outside() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("data");
    for name in ["../escaped.bin", "/tmp/../escaped.bin", "cifar-10-batches-bin/../../data_batch_1.bin"] {
        let error = fetch_wrong(&folder, archive(|tar| add(tar, name, b"hostile")));
        assert!(error.contains(name) && error.contains("points out of its folder"), "{error}");
    }
    let link = archive(|tar| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        tar.append_link(&mut header, "cifar-10-batches-bin/data_batch_1.bin", "/etc/passwd").unwrap();
    });
    assert!(fetch_wrong(&folder, link).contains("Symlink"));
    assert_eq!((names(outer.path()), names(&folder)), (vec!["data".to_string()], vec![PART.to_string()]));
}

#[test]
fn an_archive_with_a_missing_wrong_sized_or_mislabelled_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let first = "cifar-10-batches-bin/data_batch_1.bin";
    let error = fetch_wrong(folder.path(), archive(|tar| add(tar, "readme.html", b"x")));
    assert!(error.contains("holds no `cifar-10-batches-bin/data_batch_1.bin`"), "{error}");
    let error = fetch_wrong(folder.path(), archive(|tar| add(tar, first, b"x")));
    assert!(error.contains("is 1 bytes, expected 30,730,000"), "{error}");
    let error = fetch_wrong(
        folder.path(),
        archive(|tar| {
            let fill = |place| vec![9 + place as u8; CIFAR10.file_bytes(0) as usize];
            CIFAR10
                .files(Layout::Binary)
                .enumerate()
                .for_each(|(at, name)| add(tar, &format!("{}/{name}", CIFAR10.folder(Layout::Binary)), &fill(at)));
        }),
    );
    assert!(error.contains("has label"), "{error}");
    assert_eq!(names(folder.path()), [PART]);
}

#[test]
fn an_archive_that_unpacks_to_far_more_than_its_files_is_given_up() {
    const BYTES: u64 = 12;
    let packed = |name_length: usize| {
        archive(|tar| {
            // Entry names are kept in memory, and 16 MB of one letter compress to a few kilobytes.
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::GNULongName);
            header.set_size(name_length as u64);
            header.set_cksum();
            tar.append(&header, &*vec![b'x'; name_length]).unwrap();
            add(tar, "readme.html", b"");
            for file in CIFAR10.files(Layout::Binary) {
                add(tar, &format!("cifar-10-batches-bin/{file}"), &[7; BYTES as usize]);
            }
        })
    };
    let unpacked = |name_length: usize| {
        let folder = tempfile::tempdir().unwrap();
        unpack_files(&packed(name_length)[..], folder.path(), BYTES).map_err(|error| format!("{error:#}"))
    };
    assert_eq!(unpacked(1 << 10), Ok(()));
    assert!(unpacked(16 << 20).is_err());
}

#[test]
fn two_fetches_into_one_folder_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let part = std::fs::File::create(folder.path().join(PART)).unwrap();
    part.lock().unwrap();
    let error = fetch_good(folder.path(), &["file:///no/such/file"]).unwrap_err();
    assert!(error.contains("another `lrsched data fetch` is writing to"), "{error}");
}
