//! Range tests: their suggestions as a figure, and as a table of the page.

mod said;

pub use said::{json, markdown, summary, terminal, verdict};

use super::chart::{AxisScale, Figure, Mark, Panel, Quantity, Series, Stops, Style};
use super::escape::escape;
use super::html::{numbers, table};
use super::table::UNKNOWN;
use crate::config::{FindConfig, SettingValues};
use crate::data::DatasetKind;
use crate::number::grouped;
use crate::record::files::{SEED, of_seed};
use crate::record::{NextCommand, RangeRow, RefineRow, Status};
use crate::stats::suggest::{
    Combined, Explosion, Method, RangePoint, ShortResult, combine, explosion, refine, show, smoothed_accuracy, suggest,
};
use crate::stats::{mean, median, quantile};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The peak of one cycle over the constant rate: the rates of a cycle are about half of its peak on average.
const PEAK: f64 = 2.0;

/// What find.json has for a report. Fields that an earlier version did not write are empty.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Recorded {
    pub config: Map<String, Value>,
    /// That of a test that goes on in this process is `None`.
    pub status: Option<Status>,
    /// Why it ended early.
    pub message: Option<String>,
    /// The length, in updates, of the run that the suggested rate is for.
    pub run_updates: Option<u64>,
    /// As printed for copying.
    pub suggested_lr: Option<f64>,
    /// Commands that train at what was found.
    pub commands: Vec<NextCommand>,
}

impl Recorded {
    /// Of a test that is not recorded yet.
    pub fn of_config(config: &FindConfig) -> Self {
        let config = match serde_json::to_value(config) {
            Ok(Value::Object(config)) => config,
            _ => Map::new(),
        };
        Self { config, ..Self::default() }
    }
}

/// What a range test with these settings tests: `adam: cnn on cifar10, exponential from 1e-5 to 10`; `None` if a setting is
/// missing.
pub fn title(settings: &SettingValues) -> Option<String> {
    let of = |name| settings.get(name);
    let rate = |name| Some(show(settings.get(name)?.parse().ok()?));
    let (optimizer, model, dataset, mode) = (of("optimizer")?, of("model")?, of("dataset")?, of("mode")?);
    Some(format!("{optimizer}: {model} on {dataset}, {mode} from {} to {}", rate("min-lr")?, rate("max-lr")?))
}

/// The range tests of one setting, one per seed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RangeTests {
    /// The name of its folder.
    pub name: String,
    /// The name of each test, used if there are several, and its rows.
    pub tests: Vec<(String, Vec<RangeRow>)>,
    /// The short runs around the rate of the tests.
    pub refining: Vec<RefineRow>,
    /// Updates of the run that the suggested rate is for.
    pub run_updates: u64,
    pub recorded: Recorded,
}

impl RangeTests {
    /// What was tested; the name of the folder if nothing records it.
    pub fn title(&self) -> String {
        title(&SettingValues::of(&self.recorded.config))
            .map_or_else(|| self.name.clone(), |title| format!("Range test of {title}"))
    }

    /// The suggestion of each method, combined over all tests; none of a test that has not come to its end.
    pub fn suggestions(&self) -> Vec<Combined> {
        if self.recorded.status.is_some_and(|status| status != Status::Finished) {
            return Vec::new();
        }
        let each = self.tests.iter().map(|(_, rows)| suggest(&curve(rows), self.run_updates));
        let mut combined: Vec<Combined> =
            refine(&self.short_runs(), self.chance(), self.highest_safe()).into_iter().collect();
        combined.extend(combine(&each.collect::<Vec<_>>()));
        for one in &mut combined {
            if let (Ok(answer), Some(explosion)) = (one.answer.clone(), self.first_explosion()) {
                one.answer = explosion.hold(one.method, answer);
                one.spread = one.spread.filter(|_| one.answer.is_ok());
            }
        }
        combined
    }

    /// The accuracy of guessing.
    fn chance(&self) -> f64 {
        let dataset = SettingValues::of(&self.recorded.config).get("dataset").and_then(|name| name.parse().ok());
        dataset.unwrap_or(DatasetKind::Cifar10).chance()
    }

    /// The short runs of the seeds that were tested.
    fn short_runs(&self) -> Vec<ShortResult> {
        let is_shown = |seed: u64| match self.tests.as_slice() {
            [(name, _)] if !name.starts_with(SEED) => true,
            tests => tests.iter().any(|(name, _)| *name == of_seed(seed)),
        };
        self.refining.iter().filter(|row| is_shown(row.seed)).map(RefineRow::result).collect()
    }

    /// The accuracies that the short runs reached against their rates, one line for all seeds.
    fn short_run_line(&self) -> Option<Series> {
        let runs = self.short_runs();
        let updates = runs.iter().map(|run| run.updates).max()?;
        let mut points: Vec<(f64, f64)> = Vec::new();
        for run in &runs {
            if points.last().is_none_or(|(rate, _)| *rate != run.rate) {
                let at = runs.iter().filter(|other| other.rate == run.rate);
                // As `refined` has it: what diverged is as good as guessing.
                let reached: Vec<f64> = at.map(|run| run.accuracy.unwrap_or(self.chance())).collect();
                points.extend(mean(&reached).map(|mean| (run.rate, mean)));
            }
        }
        Some(Series {
            stops: Stops::Each,
            ..Series::new(format!("short runs of {} updates", grouped(updates)), points)
        })
    }

    /// Where the loss first explodes: that of one seed may at a rate at which another still learns.
    fn first_explosion(&self) -> Option<Explosion> {
        let all = self.tests.iter().filter_map(|(_, rows)| explosion(&curve(rows)));
        all.min_by(|a, b| a.rate.total_cmp(&b.rate))
    }

    /// The highest rate at a distance from an explosion.
    pub fn highest_safe(&self) -> f64 {
        self.first_explosion().map_or(f64::INFINITY, |explosion| explosion.highest_safe())
    }

    /// The peak of one cycle, if `suggested` is the constant rate: twice that, but at a distance from an explosion.
    pub fn peak(&self, suggested: f64) -> f64 {
        (PEAK * suggested).min(self.highest_safe()).max(suggested)
    }

    /// Rate against iteration, and loss and accuracy against rate, with the suggestions marked.
    pub fn figure(&self, suggestions: &[Combined], title: &str) -> Figure {
        let mut rate = Panel { y_scale: AxisScale::Log, ..Panel::of(Quantity::LearningRate, "iteration") };
        rate.series = self.lines("learning rate", |row| Some((row.iteration as f64, row.learning_rate)));
        let mut panels = vec![rate, self.loss_panel(suggestions)];
        panels.extend(self.accuracy_panel(suggestions));
        Figure::new(title, panels)
    }

    /// The figure without its first panel, to fit a terminal.
    pub fn small_figure(&self, suggestions: &[Combined]) -> Figure {
        let panels = std::iter::once(self.loss_panel(suggestions)).chain(self.accuracy_panel(suggestions)).collect();
        Figure::new("", panels)
    }

    fn loss_panel(&self, suggestions: &[Combined]) -> Panel {
        let mut panel = Panel { x_scale: AxisScale::Log, ..Panel::of(Quantity::Loss, "learning rate") };
        // With several tests, show the smoothed losses only.
        if let [(_, rows)] = self.tests.as_slice() {
            let points = rows.iter().map(|row| (row.learning_rate, row.loss)).collect();
            panel.series.push(Series { style: Style::Grey, ..Series::new("loss of the batch", points) });
        }
        panel.series.extend(self.lines("smoothed loss", |row| Some((row.learning_rate, row.smoothed_loss))));
        panel.y_range = self.loss_range();
        panel.marks =
            marks(suggestions, &[Method::Refined, Method::Turn, Method::Valley, Method::Steepest, Method::Minimum]);
        panel
    }

    /// The range of the loss without its explosion: from below its minimum to above its start.
    fn loss_range(&self) -> Option<(f64, f64)> {
        let losses = || self.tests.iter().flat_map(|(_, rows)| rows).map(|row| row.smoothed_loss);
        let lowest = losses().filter(|loss| loss.is_finite()).fold(f64::INFINITY, f64::min);
        let first: Vec<f64> =
            self.tests.iter().filter_map(|(_, rows)| Some(rows.get(rows.len() / 20)?.smoothed_loss)).collect();
        let first = median(&first).filter(|first| first.is_finite() && *first >= lowest)?;
        let room = (first - lowest).max(0.05 * first);
        Some(((lowest - 0.5 * room).max(0.0), first + 0.4 * room))
    }

    fn accuracy_panel(&self, suggestions: &[Combined]) -> Option<Panel> {
        let mut panel = Panel { x_scale: AxisScale::Log, ..Panel::of(Quantity::ValAccuracy, "learning rate") };
        // The reasons refer to the running median, so draw it; for a single test, also the validations behind it.
        let single = self.tests.len() == 1;
        for (test, rows) in &self.tests {
            let looks: Vec<_> = rows.iter().filter_map(|row| Some((row.learning_rate, row.val_accuracy?))).collect();
            let median = smoothed_accuracy(&curve(rows));
            let name = |single_name: &str| if single { single_name.to_string() } else { test.clone() };
            if median.is_empty() {
                panel.series.push(Series::new(name("validation accuracy"), looks));
                continue;
            }
            if single {
                panel.series.push(Series { style: Style::Grey, ..Series::new("each validation", looks) });
            }
            panel.series.push(Series::new(name("running median"), median));
        }
        panel.series.extend(self.short_run_line());
        panel.marks = marks(suggestions, &[Method::Refined, Method::Turn, Method::Plateau, Method::Base, Method::Max]);
        let seen: Vec<f64> = panel.series.iter().flat_map(|series| &series.points).map(|point| point.1).collect();
        let (low, high) = quantile(&seen, 0.0).zip(quantile(&seen, 1.0))?;
        // Leave room for the labels of the marks above the line.
        panel.y_range = (high > low).then(|| ((low - 0.05 * (high - low)).max(0.0), high + 0.35 * (high - low)));
        Some(panel)
    }

    /// A line for each test, named after the test if there are several.
    fn lines(&self, name: &str, point: impl Fn(&RangeRow) -> Option<(f64, f64)>) -> Vec<Series> {
        let single = self.tests.len() == 1;
        let line = |(test, rows): &(String, Vec<RangeRow>)| {
            Series::new(if single { name } else { test }, rows.iter().filter_map(&point).collect())
        };
        self.tests.iter().map(line).collect()
    }

    /// The charts of the page; `place` distinguishes several settings.
    pub fn charts(&self, place: usize, suggestions: &[Combined]) -> Vec<Value> {
        let panels = std::iter::once(self.loss_panel(suggestions)).chain(self.accuracy_panel(suggestions));
        let chart = |(i, panel): (usize, Panel)| {
            let mut colour = 0;
            let line = |series: &Series| {
                let (x, y): (Vec<f64>, Vec<f64>) = series.points.iter().copied().unzip();
                let own = if series.style == Style::Grey { -1 } else { colour };
                colour += i32::from(own >= 0);
                json!({ "i": own, "name": series.name, "x": numbers(&x), "y": numbers(&y) })
            };
            let mut series: Vec<Value> = panel.series.iter().map(line).collect();
            // The page draws the first line last: put raw values behind smoothed ones.
            series.sort_by_key(|line| line["i"] == json!(-1));
            let marks: Vec<Value> =
                panel.marks.iter().map(|mark| json!({ "x": mark.at, "label": mark.label })).collect();
            json!({
                "id": format!("{}{place}", ["range", "accuracy"][i]), "title": format!("{}: {}", panel.title, self.name),
                "shared": false, "kind": panel.quantity.map(Quantity::kind), "logx": true, "xlabel": panel.x_label, "ylabel": panel.y_label,
                "series": series, "marks": marks,
            })
        };
        panels.enumerate().map(chart).collect()
    }

    /// The suggestions for the page; nothing of a test without any.
    pub fn html(&self, suggestions: &[Combined]) -> String {
        if suggestions.is_empty() {
            return String::new();
        }
        let has_spread = suggestions.iter().any(|one| one.tests > 1);
        let cell = |head: &str, rate: Option<f64>, text: &str| {
            let (value, text) = (rate.map_or(String::new(), |rate| rate.to_string()), escape(text));
            // On a narrow screen, each method is a card, whose cells name themselves.
            let head = if text.is_empty() { String::new() } else { format!(" data-h={head}") };
            format!("<td{head} data-v=\"{value}\">{text}</td>")
        };
        let row = |(one, why): (&Combined, String)| {
            let rate = one.answer.as_ref().ok().map(|answer| answer.rate);
            let spread = if has_spread { cell("spread", None, &spread(one)) } else { String::new() };
            format!(
                "<tr><th scope=row class=w>{}</th>{}{spread}<td class=\"w verdict\">{}</td></tr>\n",
                escape(one.method.name()),
                cell("rate", rate, &rate.map_or(UNKNOWN.to_string(), show)),
                escape(&why)
            )
        };
        let rows: String = suggestions.iter().zip(reasons(suggestions)).map(row).collect();
        let caption = format!("Suggested rates: {}", escape(&self.name));
        let heads = ["method", "rate", "spread", "why"].into_iter().filter(|head| has_spread || *head != "spread");
        format!("<div class=cards>{}</div>", table(&caption, &heads.collect::<Vec<_>>(), &rows))
    }
}

/// The curve that the methods analyse.
fn curve(rows: &[RangeRow]) -> Vec<RangePoint> {
    let point = |row: &RangeRow| RangePoint {
        rate: row.learning_rate,
        batch_loss: row.loss,
        loss: row.smoothed_loss,
        momentum: row.momentum,
        accuracy: row.val_accuracy.filter(|accuracy| accuracy.is_finite()),
    };
    rows.iter().map(point).collect()
}

/// Marks for those of `methods` that have an answer.
fn marks(suggestions: &[Combined], methods: &[Method]) -> Vec<Mark> {
    let mark = |one: &Combined| {
        let rate = one.answer.as_ref().ok()?.rate;
        Some(Mark { at: rate, label: format!("{} {}", one.method.name(), show(rate)), series: String::new() })
    };
    suggestions.iter().filter(|one| methods.contains(&one.method)).filter_map(mark).collect()
}

fn reason(one: &Combined) -> &str {
    match &one.answer {
        Ok(answer) => &answer.reason,
        Err(why) => why,
    }
}

/// The reason of each, for people: many may have no answer for one reason, which is given once.
fn reasons(suggestions: &[Combined]) -> Vec<String> {
    let told = |(place, one): (usize, &Combined)| {
        let same = suggestions[..place].iter().find(|earlier| one.answer.is_err() && earlier.answer == one.answer);
        same.map_or_else(|| reason(one).to_string(), |earlier| format!("as {}", earlier.method.name()))
    };
    suggestions.iter().enumerate().map(told).collect()
}

/// `0.0051 to 0.0092`; empty for a single test.
fn spread(one: &Combined) -> String {
    match one.spread {
        Some((low, high)) if one.tests > 1 => format!("{} to {}", show(low), show(high)),
        _ => String::new(),
    }
}
