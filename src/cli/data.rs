//! `lrsched data`: fetches CIFAR-10, describes a dataset, verifies the files.

use super::{flags, settings};
use crate::config::settings::machine;
use crate::config::{CommandName, Given, SettingDef};
use crate::data::cifar::{self, CIFAR10, CIFAR100, Layout, Place};
use crate::data::fetch::{Archive, DownloadProgress, fetch};
use crate::data::idx::{FASHION_MNIST, MNIST};
use crate::data::{Dataset, DatasetKind, DatasetOptions, Images, Normalisation, SIDE, Subset, Validation};
use crate::number::grouped;
use crate::record::{check_outputs, ending, replace_file};
use crate::report::wrap;
use crate::usage;
use crate::usage::Usage;
use anyhow::Result;
use clap::{ArgMatches, Command};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FETCH: &[SettingDef] = &[SettingDef::list(
    "mirror",
    "URL",
    "Try this copy of cifar-10-binary.tar.gz first; repeatable; https://, http:// or file://",
)];

const INFO: &[SettingDef] = &[
    SettingDef::path("sheet", "FILE", "Also draw the first training images of each class into this PNG file"),
    SettingDef::switch("json", "Print one JSON object instead (docs/JSON.md)"),
];

/// The command line of `lrsched data`.
pub fn command() -> Command {
    Command::new(CommandName::DataFiles.name())
        .about("Fetch, describe or verify the images")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands([fetch_flags(), info_flags(), verify_flags()])
        .subcommand(Command::new("help").about("Print this help"))
}

fn fetch_flags() -> Command {
    let command = Command::new("fetch").about("Download and verify CIFAR-10, and put its files into place").after_help(
        "The files go to --data-dir, else to data/ if that folder exists, else to the user's cache folder. An interrupted \
         download resumes when the command is run again.",
    );
    settings::with_flags(command, CommandName::DataFiles, FETCH)
}

fn info_flags() -> Command {
    let about = "Show location, number, classes, means, standard deviations and digest of the images";
    settings::with_flags(Command::new("info").about(about), CommandName::DataInfo, INFO)
}

fn verify_flags() -> Command {
    let about = "Check sizes, labels and class counts of CIFAR-10's files, and print their SHA-256";
    settings::with_flags(Command::new("verify").about(about), CommandName::DataFiles, &[])
}

/// Runs `lrsched data …` and returns the exit code.
///
/// # Errors
/// The images are missing or invalid, or cannot be fetched.
pub fn run(matches: &ArgMatches, quiet: bool) -> Result<u8> {
    let folder = |given: &Given| Ok::<_, Usage>(machine(given, CommandName::DataFiles)?.data.data_dir);
    match matches.subcommand() {
        Some(("fetch", matches)) => {
            let given = flags::gather(&fetch_flags(), matches);
            fetch_command(folder(&given)?.as_deref(), given.list("mirror").unwrap_or_default(), quiet)?;
        }
        Some(("info", matches)) => {
            let given = flags::gather(&info_flags(), matches);
            let kind = given.parse_own("dataset")?.unwrap_or_default();
            info(kind, folder(&given)?, given.path("sheet").as_deref(), given.switch("json")?)?;
        }
        Some(("verify", matches)) => verify(folder(&flags::gather(&verify_flags(), matches))?.as_deref(), quiet)?,
        _ => return super::help(&["data"]),
    }
    Ok(0)
}

fn fetch_command(data_dir: Option<&Path>, mirrors: &[String], quiet: bool) -> Result<()> {
    let archive = Archive::cifar10(mirrors)?;
    if let Ok(place) = CIFAR10.locate(data_dir)
        && cifar::open(&place).is_ok()
    {
        if !quiet {
            out!("CIFAR-10 is already in {} and intact", place.path.display());
        }
        return Ok(());
    }
    let folder = target(data_dir)?;
    let mut reporter = Reporter::new(archive.bytes);
    let result = fetch(&archive, &folder, &mut |progress| {
        if !quiet {
            reporter.show(progress);
        }
    });
    reporter.bar.finish_and_clear();
    result?;
    if !quiet {
        out!("CIFAR-10 is in {}: 50,000 training and 10,000 test images", folder.display());
    }
    Ok(())
}

/// Where to put the files: where some of them already are, else `data_dir`, else `data`, else the cache folder. Beside
/// damaged pickles or archives in one of these, the files are found first.
fn target(data_dir: Option<&Path>) -> Result<PathBuf> {
    if let Ok(Place { path, layout: Layout::Binary, packed: false, .. }) = CIFAR10.locate(data_dir) {
        return Ok(path);
    }
    match data_dir {
        Some(folder) => Ok(folder.to_path_buf()),
        None if Path::new("data").is_dir() => Ok(PathBuf::from("data")),
        None => match cifar::cache_folder() {
            Some(folder) => Ok(folder),
            None => usage!("found neither a folder `data` nor a home directory; choose a folder with --data-dir"),
        },
    }
}

/// Reports the progress of a download on stderr: a bar on a terminal, else a line every quarter.
struct Reporter {
    bar: ProgressBar,
    /// Why the last URL failed; reported when the next one is tried. The failure of the final one is part of the error.
    failed: Option<String>,
    quarter: u64,
}

impl Reporter {
    fn new(total: u64) -> Self {
        let bar = if std::io::stderr().is_terminal() { ProgressBar::new(total) } else { ProgressBar::hidden() };
        let template = "{msg} [{bar:30}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left";
        bar.set_style(ProgressStyle::with_template(template).expect("the template is valid").progress_chars("=> "));
        Self { bar, failed: None, quarter: 0 }
    }

    fn say(&self, line: &str) {
        if self.bar.is_hidden() {
            super::tell(line);
        } else {
            self.bar.println(crate::usage::one_line(line));
        }
    }

    fn show(&mut self, progress: DownloadProgress) {
        match progress {
            DownloadProgress::Downloading { url, done, total } => {
                if let Some(failed) = self.failed.take() {
                    self.say(&failed);
                }
                self.bar.set_message(host(url));
                self.bar.set_position(done);
                let quarter = 4 * done / total;
                if self.bar.is_hidden() && quarter != self.quarter {
                    self.quarter = quarter;
                    self.say(&format!("{url}: {} of {} bytes", grouped(done), grouped(total)));
                }
            }
            DownloadProgress::Failed { url, reason } => {
                self.failed = Some(format!("warning: {url}: {reason}; trying the next"))
            }
            DownloadProgress::Verifying => self.say("verifying the archive"),
            DownloadProgress::Unpacking => self.say("unpacking"),
        }
    }
}

/// The host of a URL: `www.cs.toronto.edu`.
fn host(url: &str) -> String {
    let authority = url.split("//").nth(1).and_then(|rest| rest.split('/').next());
    let host = authority.map(|authority| authority.rsplit('@').next().unwrap_or(authority));
    host.filter(|host| !host.is_empty()).unwrap_or(url).to_string()
}

fn info(kind: DatasetKind, data_dir: Option<PathBuf>, sheet: Option<&Path>, as_json: bool) -> Result<()> {
    if let Some(path) = sheet.filter(|path| ending(path, &["png"]).as_deref() != Some("png")) {
        return usage!("--sheet must end in .png, got `{}`", path.display());
    }
    let (place, files) = match kind {
        DatasetKind::Cifar10 | DatasetKind::Cifar100 => {
            let files = if kind == DatasetKind::Cifar10 { &CIFAR10 } else { &CIFAR100 };
            let place = files.locate(data_dir.as_deref())?;
            (place.path.display().to_string(), place.files())
        }
        DatasetKind::Mnist | DatasetKind::FashionMnist => {
            let files = if kind == DatasetKind::Mnist { &MNIST } else { &FASHION_MNIST };
            let folder = files.locate(data_dir.as_deref())?;
            (folder.display().to_string(), files.files(&folder)?.to_vec())
        }
        DatasetKind::Synthetic => ("generated by this program".to_string(), Vec::new()),
    };
    if let Some(path) = sheet {
        check_outputs(&[path.to_path_buf()], &files)?;
    }
    let dataset = Dataset::open(&DatasetOptions { kind, data_dir })?;
    if let Some(path) = sheet {
        draw_sheet(&dataset, path)?;
    }
    let normalisation = Normalisation::of(&Subset::all(Arc::clone(&dataset.train)));
    if as_json {
        let held_out = match kind.default_validation() {
            Validation::Holdout(images) => json!(images),
            Validation::Test => json!("test"),
        };
        let split = |images: &Images| json!({ "images": images.len(), "images_of_each_class": images.class_counts(dataset.classes.len()) });
        out!(
            "{}",
            json!({
                "dataset": dataset.name,
                "from": place,
                "train": split(&dataset.train),
                "test": split(&dataset.test),
                "validation": held_out,
                "classes": dataset.classes,
                "mean": normalisation.mean,
                "standard_deviation": normalisation.standard_deviation,
                "digest": dataset.digest(),
            })
        );
        return Ok(());
    }
    let channels = |values: [f64; 3]| values.map(|value| format!("{value:.5}")).join(" ");
    let validation = match kind.default_validation() {
        Validation::Holdout(images) => grouped(images as u64),
        other @ Validation::Test => other.to_string(),
    };
    let rows = [
        ("dataset", dataset.name.clone()),
        ("from", place),
        ("train", counts(&dataset.train, &dataset)),
        ("test", counts(&dataset.test, &dataset)),
        ("validation", format!("{validation} of the training images, unless --validation says otherwise")),
        ("classes", dataset.classes.join(", ")),
        ("mean", format!("{} (red, green, blue of the training images)", channels(normalisation.mean))),
        ("deviation", channels(normalisation.standard_deviation)),
        ("digest", dataset.digest().to_string()),
    ];
    let width = settings::text_width();
    let lines = rows.iter().map(|(name, value)| wrap::under(&format!("{name:<10} "), 11, value, width));
    super::say(&lines.collect::<String>())
}

fn counts(images: &Images, dataset: &Dataset) -> String {
    let counts = images.class_counts(dataset.classes.len());
    let (least, most) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    let each = if least == most { grouped(most as u64) } else { format!("{least} to {most}") };
    format!("{} images, {each} of each class", grouped(images.len() as u64))
}

/// One row per class with its first 16 training images, enlarged twice.
fn draw_sheet(dataset: &Dataset, path: &Path) -> Result<()> {
    const COLUMNS: usize = 16;
    const SCALE: usize = 2;
    let mut sheet =
        image::RgbImage::new((COLUMNS * SIDE * SCALE) as u32, (dataset.classes.len() * SIDE * SCALE) as u32);
    for class in 0..dataset.classes.len() {
        let of_class = (0..dataset.train.len()).filter(|&index| usize::from(dataset.train.labels[index]) == class);
        for (column, index) in of_class.take(COLUMNS).enumerate() {
            let pixels = dataset.train.image(index);
            for (x, y) in (0..SIDE * SCALE).flat_map(|y| (0..SIDE * SCALE).map(move |x| (x, y))) {
                let place = (y / SCALE) * SIDE + x / SCALE;
                let colour = image::Rgb(std::array::from_fn(|channel| pixels[channel * SIDE * SIDE + place]));
                sheet.put_pixel((column * SIDE * SCALE + x) as u32, (class * SIDE * SCALE + y) as u32, colour);
            }
        }
    }
    let mut bytes = std::io::Cursor::new(Vec::new());
    sheet.write_to(&mut bytes, image::ImageOutputFormat::Png)?;
    replace_file(path, &bytes.into_inner())
}

fn verify(data_dir: Option<&Path>, quiet: bool) -> Result<()> {
    let place = CIFAR10.locate(data_dir)?;
    let dataset = cifar::open(&place)?;
    for (what, images, of_each) in [("training", &dataset.train, 5000), ("test", &dataset.test, 1000)] {
        let counts = images.class_counts(dataset.classes.len());
        if let Some(class) = counts.iter().position(|&count| count != of_each) {
            anyhow::bail!(
                "{}: {} {what} images are labelled {}, expected {}; remove its files and fetch them again with `lrsched data fetch`",
                place.path.display(),
                grouped(counts[class] as u64),
                dataset.classes[class],
                grouped(of_each as u64)
            );
        }
    }
    if quiet {
        return Ok(());
    }
    // Of files that `sha256sum` can read, or else of the same images in the binary layout.
    let is_binary = place == Place::binary(&CIFAR10, &place.path);
    for (name, sha256) in dataset.file_digests() {
        let path = if is_binary { place.path.join(name) } else { PathBuf::from(name) };
        out!("{sha256}  {}", path.display());
    }
    let note = if is_binary { "" } else { "; the sums are those of the same images in the binary layout" };
    out!("sizes, labels and class counts are right; digest {}{note}", dataset.digest());
    Ok(())
}
